// bao-kms-worker as it ships, but for one thing: a test can make it lie (told_lie.h). Everything
// else, its token and its calls to OpenBao among it, is genuine.

#include <cstdint>
#include <ctime>
#include <string>

#include <google/protobuf/message_lite.h>

#include "ipc/child_session.h"
#include "ipc/key_versions.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "tests/redteam/told_lie.h"

namespace {

using baokms::ipc::ChildSession;
using baokms::ipc::MessageType;
using google::protobuf::MessageLite;
namespace ipc = baokms::ipc;

// The lies that tests/e2e/test_lying_children.py asks for.
enum class Lie : int { kPlaintext, kRefusal, kCiphertext, kVersion, kSilence, kUpsert, kProbe };

// Same size, other content; base64 stays base64.
void Spoil(std::string& text) {
  char& last = text[text.size() / 2 + text.size() / 4];
  last = last == 'A' ? 'B' : 'A';
}

bool Distort(Lie lie, ipc::DecryptAnswer& answer) {
  if (answer.outcome() != ipc::OUTCOME_OK || (lie != Lie::kPlaintext && lie != Lie::kRefusal)) {
    return false;
  }
  if (lie == Lie::kPlaintext) {
    Spoil(*answer.mutable_plaintext());
  } else {
    answer.clear_plaintext();
    answer.set_outcome(ipc::OUTCOME_DECRYPT_FAILED);
  }
  return true;
}

bool Distort(Lie lie, ipc::EncryptAnswer& answer) {
  if (lie != Lie::kCiphertext || answer.outcome() != ipc::OUTCOME_OK) {
    return false;
  }
  Spoil(*answer.mutable_ciphertext());
  return true;
}

// A version that does not exist, or an upsert setting that nobody made.
bool Distort(Lie lie, ipc::MetadataAnswer& answer) {
  if (answer.outcome() != ipc::OUTCOME_OK || (lie != Lie::kVersion && lie != Lie::kUpsert)) {
    return false;
  }
  if (lie == Lie::kUpsert) {
    answer.set_disable_upsert(false);
    return true;
  }
  const std::int64_t version = answer.latest_version() + 1;
  answer.set_latest_version(version);
  return ipc::AppendVersion(version, std::time(nullptr), *answer.mutable_versions());
}

bool Distort(Lie lie, ipc::ProbeDecryptAnswer& answer) {
  if (lie != Lie::kProbe || answer.outcome() != ipc::OUTCOME_OK) {
    return false;
  }
  Spoil(*answer.mutable_plaintext());
  return true;
}

// Whether this answer is kept back. The worker still answers the cancellation, as if OpenBao were
// slow.
bool KeepsBack(Lie lie, MessageType type, const MessageLite& message) {
  if (lie != Lie::kSilence || type != MessageType::kDecryptAnswer) {
    return false;
  }
  ipc::DecryptAnswer answer;
  answer.CheckTypeAndMergeFrom(message);
  return answer.outcome() == ipc::OUTCOME_OK;
}

template <typename Answer>
const MessageLite& Distorted(Lie lie, const MessageLite& message, Answer& copy) {
  copy.CheckTypeAndMergeFrom(message);
  return Distort(lie, copy) ? copy : message;
}

}  // namespace

// The names of ChildSession::Tell() and of what the linker puts in its place (ld(1), --wrap).
#define TELL "_ZN6baokms3ipc12ChildSession4TellENS0_11MessageTypeERKN6google8protobuf11MessageLiteE"

void Tell(ChildSession* session, MessageType type, const MessageLite& message) asm("__real_" TELL);
void TellOrLie(ChildSession* session,
               MessageType type,
               const MessageLite& message) asm("__wrap_" TELL);

void TellOrLie(ChildSession* session, MessageType type, const MessageLite& message) {
  const Lie lie = static_cast<Lie>(baokms::ToldLie());
  ipc::DecryptAnswer decrypted;
  ipc::EncryptAnswer encrypted;
  ipc::MetadataAnswer metadata;
  ipc::ProbeDecryptAnswer probed;
  if (KeepsBack(lie, type, message)) {
    return;
  }
  switch (type) {
    case MessageType::kDecryptAnswer:
      return Tell(session, type, Distorted(lie, message, decrypted));
    case MessageType::kEncryptAnswer:
      return Tell(session, type, Distorted(lie, message, encrypted));
    case MessageType::kMetadataAnswer:
      return Tell(session, type, Distorted(lie, message, metadata));
    case MessageType::kProbeDecryptAnswer:
      return Tell(session, type, Distorted(lie, message, probed));
    default:
      return Tell(session, type, message);
  }
}
