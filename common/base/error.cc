#include "common/base/error.h"

#include <cstring>

namespace baokms {

std::string_view ToString(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid-argument";
    case ErrorCode::kNotFound:
      return "not-found";
    case ErrorCode::kFailedPrecondition:
      return "failed-precondition";
    case ErrorCode::kPermissionDenied:
      return "permission-denied";
    case ErrorCode::kResourceExhausted:
      return "resource-exhausted";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kDeadlineExceeded:
      return "deadline-exceeded";
    case ErrorCode::kProtocolViolation:
      return "protocol-violation";
    case ErrorCode::kSystem:
      return "system";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "unknown";
}

std::string Error::Describe() const {
  std::string text(what_);
  if (sys_errno_ != 0) {
    text.append(": ").append(std::strerror(sys_errno_));
  }
  return text;
}

std::string Error::ToString() const {
  std::string_view file(file_);
  if (const auto slash = file.rfind('/'); slash != std::string_view::npos) {
    file.remove_prefix(slash + 1);
  }
  std::string text(baokms::ToString(code_));
  text.append(": ").append(Describe());
  return text.append(" (").append(file).append(":").append(std::to_string(line_)).append(")");
}

}  // namespace baokms
