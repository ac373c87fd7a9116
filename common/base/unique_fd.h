// Owns one file descriptor.

#pragma once

#include <utility>

namespace baokms {

class UniqueFd {
 public:
  constexpr UniqueFd() = default;

  explicit constexpr UniqueFd(int fd) : fd_(fd) {}

  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;

  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}

  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(other.release());
    return *this;
  }

  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }

  [[nodiscard]] bool valid() const { return fd_ >= 0; }

  // fd 0 is a valid descriptor; `if (fd)` must not compile.
  explicit operator bool() const = delete;

  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

}  // namespace baokms
