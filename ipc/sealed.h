// Sealed set-ups: a protobuf message in a memfd that nobody can change any more (memfd_create(2),
// fcntl(2) F_ADD_SEALS). The reader checks the seals, so it knows that what it trusts is final.

#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace google::protobuf {
class MessageLite;
}  // namespace google::protobuf

namespace baokms::ipc {

// A CA bundle of at most 1 MiB is the largest part of any set-up.
inline constexpr std::size_t kMaxSetup = 2 * 1024 * 1024;

// Writes `message` into a new sealed memfd, close-on-exec, positioned at its start.
Result<UniqueFd> SealMessage(const google::protobuf::MessageLite& message);

// All bytes of a sealed memfd. kFailedPrecondition: a seal is missing or it is over kMaxSetup.
Result<std::string> ReadSealed(int fd);

// Reads and parses a sealed memfd.
template <typename Message>
Result<Message> OpenSealed(int fd) {
  const std::string bytes = BAOKMS_TRY(ReadSealed(fd));
  Message message;
  if (!message.ParseFromString(bytes)) {
    return Error(ErrorCode::kProtocolViolation, "sealed set-up is not the expected message");
  }
  return message;
}

}  // namespace baokms::ipc
