// bao-kms-authagent as it ships, but for one thing: a test can make it lie (told_lie.h). Its logins
// are genuine.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <span>
#include <string>
#include <string_view>

#include <google/protobuf/message_lite.h>

#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "common/base/unique_fd.h"
#include "ipc/child_session.h"
#include "ipc/message_type.h"
#include "ipc/token_message.h"
#include "tests/redteam/told_lie.h"

namespace {

using baokms::Result;
using baokms::SecretBuffer;
using baokms::ipc::ChildSession;
using baokms::ipc::MessageType;
using baokms::ipc::TokenMessage;
using google::protobuf::MessageLite;

// The lies that tests/e2e/test_lying_children.py asks for.
enum class Lie : int { kWrongToken, kForeignToken, kEndlessStatus };

// Returns the content of `other-token` beside this program, or an empty text.
std::string ReadForeignToken() {
  std::array<char, PATH_MAX> self{};
  const ssize_t size = ::readlinkat(AT_FDCWD, "/proc/self/exe", self.data(), self.size());
  std::string path(self.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  path.replace(path.rfind('/') + 1, std::string::npos, "other-token");
  const baokms::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string token(256, '\0');
  token.resize(static_cast<std::size_t>(
      std::max<ssize_t>(::read(file.get(), token.data(), token.size()), 0)));
  return token;
}

// Read before main(): the agent's rules do not let it open the file later.
const std::string& ForeignToken() {
  static const std::string token = ReadForeignToken();
  return token;
}

[[maybe_unused]] const std::string& read_early = ForeignToken();

TokenMessage With(const TokenMessage& message, std::string_view token) {
  TokenMessage changed{.request_id = message.request_id,
                       .lease_seconds = message.lease_seconds,
                       .renewable = message.renewable,
                       .token = SecretBuffer::Allocate(token.size()).value()};
  std::ranges::copy(token, changed.token.RevealMutable().begin());
  return changed;
}

}  // namespace

// The names of functions of ours, and of what the linker puts in their place (ld(1), --wrap).
#define TELL "_ZN6baokms3ipc12ChildSession4TellENS0_11MessageTypeERKN6google8protobuf11MessageLiteE"
#define ENCODE_TOKEN "_ZN6baokms3ipc11EncodeTokenERKNS0_12TokenMessageE"

void Tell(ChildSession* session, MessageType type, const MessageLite& message) asm("__real_" TELL);
void TellEndlessly(ChildSession* session,
                   MessageType type,
                   const MessageLite& message) asm("__wrap_" TELL);
Result<SecretBuffer> Encode(const TokenMessage& message) asm("__real_" ENCODE_TOKEN);
Result<SecretBuffer> EncodeAnother(const TokenMessage& message) asm("__wrap_" ENCODE_TOKEN);

void TellEndlessly(ChildSession* session, MessageType type, const MessageLite& message) {
  do {
    Tell(session, type, message);
  } while (type == MessageType::kAgentStatus &&
           static_cast<Lie>(baokms::ToldLie()) == Lie::kEndlessStatus);
}

Result<SecretBuffer> EncodeAnother(const TokenMessage& message) {
  switch (static_cast<Lie>(baokms::ToldLie())) {
    case Lie::kWrongToken:
      return Encode(With(message, "s.AAAAAAAAAAAAAAAAAAAAAAAA"));
    case Lie::kForeignToken:
      return Encode(With(message, ForeignToken()));
    case Lie::kEndlessStatus:
      break;
  }
  return Encode(message);
}
