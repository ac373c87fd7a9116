// Sealed set-ups: a protobuf message in an immutable memfd (memfd_create(2), fcntl(2) F_ADD_SEALS).
// The reader checks the seals, so it knows that the values it trusts are final.

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

// The largest parts of any set-up are two CA bundles of at most 1 MiB each
// (setup::kMaxCaBundleBytes); the remainder is for names, paths and addresses.
inline constexpr std::size_t kMaxSetup = 3 * 1024 * 1024;

// Writes `message` into a new sealed memfd, close-on-exec and positioned at its start.
Result<UniqueFd> SealMessage(const google::protobuf::MessageLite& message);

// Returns all bytes of a sealed memfd. kFailedPrecondition: a seal is missing or it exceeds
// kMaxSetup.
Result<std::string> ReadSealed(int fd);

// Reads and parses a sealed memfd. kInvalidArgument: it does not contain a Message. Other codes as
// ReadSealed().
template <typename Message>
Result<Message> OpenSealed(int fd) {
  const std::string bytes = BAOKMS_TRY(ReadSealed(fd));
  Message message;
  if (!message.ParseFromString(bytes)) {
    return Error(ErrorCode::kInvalidArgument, "sealed set-up is not the expected message");
  }
  return message;
}

}  // namespace baokms::ipc
