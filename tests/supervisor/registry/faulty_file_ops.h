// The real file operations, one of which can be made to fail. Counts every call that changes
// something, so a test can fail each in turn.

#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include <fcntl.h>

#include <limits>
#include <span>
#include <string>
#include <utility>

#include "supervisor/registry/file_ops.h"

namespace baokms::supervisor {

class FaultyFileOps final : public FileOps {
 public:
  enum class After : std::uint8_t {
    kGoesOn,  // only the one operation fails
    kIsDead,  // and every later one: the process was killed there
  };

  static constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

  // The operation `number` (from 0, counted from now) fails.
  void FailAt(std::size_t number, After after) {
    count_ = 0;
    fail_at_ = number;
    after_ = after;
  }

  // Changing operations since FailAt().
  [[nodiscard]] std::size_t count() const { return count_; }

  Result<UniqueFd> Open(int directory, const std::string& name, int flags, ::mode_t mode) override {
    if ((flags & (O_WRONLY | O_RDWR)) != 0 && Fails()) {
      return Failure();
    }
    return real_.Open(directory, name, flags, mode);
  }

  Result<struct ::stat> Stat(int fd) override { return real_.Stat(fd); }

  Result<struct ::stat> StatName(int directory, const std::string& name) override {
    return real_.StatName(directory, name);
  }

  Result<std::size_t> Read(int fd, std::span<std::uint8_t> into) override {
    return real_.Read(fd, into);
  }

  // Writes half of it first when it is to fail: a full disk takes what fits.
  Result<std::size_t> Write(int fd, std::span<const std::uint8_t> bytes) override {
    if (Fails()) {
      (void)real_.Write(fd, bytes.first(bytes.size() / 2));
      return Failure();
    }
    return real_.Write(fd, bytes);
  }

  Status Truncate(int fd) override { return Fails() ? Status(Failure()) : real_.Truncate(fd); }

  Status SetMode(int fd, ::mode_t mode) override {
    return Fails() ? Status(Failure()) : real_.SetMode(fd, mode);
  }

  Status Sync(int fd) override { return Fails() ? Status(Failure()) : real_.Sync(fd); }

  Status Close(UniqueFd fd) override {
    return Fails() ? Status(Failure()) : real_.Close(std::move(fd));
  }

  Status Rename(int directory, const std::string& from, const std::string& to) override {
    return Fails() ? Status(Failure()) : real_.Rename(directory, from, to);
  }

  Status Remove(int directory, const std::string& name) override {
    return Fails() ? Status(Failure()) : real_.Remove(directory, name);
  }

 private:
  bool Fails() {
    const std::size_t number = count_++;
    return number == fail_at_ || (number > fail_at_ && after_ == After::kIsDead);
  }

  static Error Failure() { return Error(ErrorCode::kSystem, "made to fail", EIO); }

  SystemFileOps real_;
  std::size_t count_ = 0;
  std::size_t fail_at_ = kNever;
  After after_ = After::kGoesOn;
};

}  // namespace baokms::supervisor
