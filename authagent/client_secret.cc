#include "authagent/client_secret.h"

#include <sys/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "authagent/secret_file.h"
#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/safe_path.h"
#include "common/base/secret_buffer.h"

namespace baokms::authagent {
namespace {

// Owner execute, group write and execute, and all permissions of others.
constexpr mode_t kForbiddenBits = 0137;

constexpr Literal kContent = "client secret empty, or with NUL, CR or LF inside";

using Bytes = std::span<const std::uint8_t>;

Bytes WithoutLineEnd(Bytes bytes) {
  if (bytes.empty() || bytes.back() != '\n') {
    return bytes;
  }
  bytes = bytes.first(bytes.size() - 1);
  const bool carriage_return = !bytes.empty() && bytes.back() == '\r';
  return carriage_return ? bytes.first(bytes.size() - 1) : bytes;
}

}  // namespace

Result<SecretBuffer> ReadClientSecret(const std::string& path, uid_t own_user) {
  const SecretFile file = BAOKMS_TRY(ReadSecretFile(
      path,
      {.forbidden_bits = kForbiddenBits, .max_size = kMaxClientSecretFile, .own_user = own_user}));
  const Bytes secret = WithoutLineEnd(file.content());
  const bool odd = std::ranges::any_of(
      secret, [](std::uint8_t byte) { return byte == '\0' || byte == '\r' || byte == '\n'; });
  if (secret.empty() || odd) {
    return Error(ErrorCode::kInvalidArgument, kContent);
  }
  SecretBuffer result = BAOKMS_TRY(SecretBuffer::Allocate(secret.size()));
  std::ranges::copy(secret, result.RevealMutable().begin());
  return result;
}

std::string_view SecretFileReason(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kInvalidArgument:
      return error.what() == kContent.view() ? "invalid_content" : "absolute_path_required";
    case ErrorCode::kNotFound:
      return "file_missing";
    case ErrorCode::kUnavailable:
      return "file_changed";
    case ErrorCode::kResourceExhausted:
      return "file_too_large";
    case ErrorCode::kPermissionDenied:
      if (error.what().starts_with("symbolic link")) {
        return "symlink_unsupported";
      }
      return error.what() == "not a regular file" ? "regular_file_required" : "unsafe_permissions";
    default:
      return "file_unreadable";
  }
}

}  // namespace baokms::authagent
