#include "authagent/secret_file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace baokms::authagent {
namespace {

// U+FEFF as editors write it before UTF-8 and UTF-16 text. It is invisible, but a token or a server
// treats it as part of the secret.
constexpr std::array<std::string_view, 3> kByteOrderMarks = {"\xEF\xBB\xBF", "\xFF\xFE",
                                                             "\xFE\xFF"};

bool BeginsWithByteOrderMark(std::string_view text) {
  return std::ranges::any_of(kByteOrderMarks,
                             [text](std::string_view mark) { return text.starts_with(mark); });
}

// Fills `buffer` from the descriptor and returns the number of bytes read.
Result<std::size_t> ReadAll(int fd, std::span<std::uint8_t> buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t size = ::read(fd, buffer.data() + filled, buffer.size() - filled);
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size < 0) {
      return Error(ErrorCode::kSystem, "the file cannot be read", errno);
    }
    if (size == 0) {
      break;
    }
    filled += static_cast<std::size_t>(size);
  }
  return filled;
}

}  // namespace

Result<SecretFile> ReadSecretFile(const std::string& path, const FileRules& rules) {
  const SafeFile file = BAOKMS_TRY(OpenSafeFile(path, rules));
  // One more byte than expected, to detect a file that is being written.
  SecretBuffer raw = BAOKMS_TRY(SecretBuffer::Allocate(file.size + 1));
  const std::size_t size = BAOKMS_TRY(ReadAll(file.fd.get(), raw.RevealMutable()));
  if (size != file.size) {
    return Error(ErrorCode::kUnavailable, "the file changed while it was read");
  }
  if (BeginsWithByteOrderMark(raw.RevealText().substr(0, size))) {
    return Error(ErrorCode::kInvalidArgument,
                 "the file begins with a byte order mark: save it without one");
  }
  return SecretFile{std::move(raw), size};
}

Result<SecretBuffer> ReadSecret(const std::string& path,
                                const FileRules& rules,
                                const SecretForm& form) {
  const SecretFile file = BAOKMS_TRY(ReadSecretFile(path, rules));
  const std::span<const std::uint8_t> secret = form.strip(file.content());
  if (secret.empty() || std::ranges::any_of(secret, form.forbidden)) {
    return Error(ErrorCode::kInvalidArgument, form.problem);
  }
  SecretBuffer copy = BAOKMS_TRY(SecretBuffer::Allocate(secret.size()));
  std::ranges::copy(secret, copy.RevealMutable().begin());
  return copy;
}

}  // namespace baokms::authagent
