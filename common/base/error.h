// Failures in a form that may cross a trust boundary.
//
// An Error carries a code, an errno and a string *literal*. It cannot carry a formatted string, so
// no key byte, token or attacker-chosen text can leave a process inside an error or reach a log
// through one.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace baokms {

// The closed list of local failures. Answers of OpenBao are classified by openbao::ErrorClass, and
// answers to KMS clients by supervisor/kms/error_policy.h; neither is represented here.
enum class ErrorCode : std::uint8_t {
  kInvalidArgument = 1,  // the peer sent something malformed
  kNotFound,             // a file, key, token or version does not exist
  kFailedPrecondition,   // the request is valid, but the state does not allow it
  kPermissionDenied,     // owner, mode or links of a file do not keep other users out of it
  kResourceExhausted,    // one of our limits or an rlimit is reached
  kUnavailable,          // a retry may succeed: a peer is busy, restarting or unreachable
  kDeadlineExceeded,     // the request's deadline passed
  kProtocolViolation,    // the other process broke the IPC contract and must be killed
  kSystem,               // a system call failed; sys_errno is set
  kInternal,             // a bug
};

std::string_view ToString(ErrorCode code);

// A string fixed at compile time. The consteval constructor guarantees it: a char buffer, a
// std::string or anything else that exists only at run time does not compile here.
class Literal {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor)
  consteval Literal(const char* text) : text_(text) {}

  [[nodiscard]] constexpr std::string_view view() const { return text_; }

 private:
  std::string_view text_;
};

class [[nodiscard]] Error {
 public:
  constexpr Error(ErrorCode code,
                  Literal what,
                  int sys_errno = 0,
                  const char* file = __builtin_FILE(),
                  int line = __builtin_LINE())
      : what_(what.view()), file_(file), line_(line), sys_errno_(sys_errno), code_(code) {}

  [[nodiscard]] constexpr ErrorCode code() const { return code_; }

  [[nodiscard]] constexpr std::string_view what() const { return what_; }

  [[nodiscard]] constexpr int sys_errno() const { return sys_errno_; }

  // Returns the text for operators: "open: Permission denied".
  [[nodiscard]] std::string Describe() const;

  // Returns the text for tests and tools: "system: open: Permission denied (spawn.cc:41)".
  [[nodiscard]] std::string ToString() const;

 private:
  std::string_view what_;
  const char* file_;
  int line_;
  int sys_errno_;
  ErrorCode code_;
};

}  // namespace baokms
