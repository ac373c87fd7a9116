// Result<T>: a T, or the Error that explains why there is none.
//
// The interface is the subset of C++23's std::expected that this project uses, so that `Result` can
// become an alias once the supported compilers provide it. Two rules are stricter: the type is
// [[nodiscard]], and reading the wrong alternative aborts.

#pragma once

#include <cerrno>
#include <cstdlib>
#include <utility>
#include <variant>

#include "common/base/error.h"

namespace baokms {

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  // Implicit on purpose: `return value;` and `return Error(...);`.
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}

  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, error) {}

  [[nodiscard]] bool has_value() const { return state_.index() == 0; }

  explicit operator bool() const { return has_value(); }

  [[nodiscard]] const T& value() const& { return *Checked(std::get_if<0>(&state_)); }

  [[nodiscard]] T& value() & { return *Checked(std::get_if<0>(&state_)); }

  // Returns by value, so that `for (auto& x : F().value())` does not read a dangling temporary.
  [[nodiscard]] T value() && { return std::move(*Checked(std::get_if<0>(&state_))); }

  [[nodiscard]] const Error& error() const { return *Checked(std::get_if<1>(&state_)); }

  const T& operator*() const& { return value(); }

  T& operator*() & { return value(); }

  T operator*() && { return std::move(*this).value(); }

  const T* operator->() const { return &value(); }

  T* operator->() { return &value(); }

 private:
  template <typename Pointer>
  static Pointer Checked(Pointer pointer) {
    if (pointer == nullptr) {
      std::abort();
    }
    return pointer;
  }

  std::variant<T, Error> state_;
};

// Result<void>: success, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;

  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(Error error) : state_(error) {}

  [[nodiscard]] bool has_value() const { return state_.index() == 0; }

  explicit operator bool() const { return has_value(); }

  void value() const {
    if (!has_value()) {
      std::abort();
    }
  }

  [[nodiscard]] const Error& error() const {
    const Error* error = std::get_if<1>(&state_);
    if (error == nullptr) {
      std::abort();
    }
    return *error;
  }

 private:
  std::variant<std::monostate, Error> state_;
};

using Status = Result<void>;

// Returns the failure of a system call that reports one with a result other than 0 and errno.
inline Status CheckSyscall(int result,
                           Literal what,
                           const char* file = __builtin_FILE(),
                           int line = __builtin_LINE()) {
  return result == 0 ? Status() : Status(Error(ErrorCode::kSystem, what, errno, file, line));
}

}  // namespace baokms

// Evaluates to the value of `expression`, or returns its Error from the calling function.
//
//   UniqueFd fd = BAOKMS_TRY(OpenReadOnly(path));
//   BAOKMS_TRY(policy.Install());
#define BAOKMS_TRY(expression)             \
  __extension__({                          \
    auto baokms_try_result = (expression); \
    if (!baokms_try_result) {              \
      return baokms_try_result.error();    \
    }                                      \
    std::move(baokms_try_result).value();  \
  })
