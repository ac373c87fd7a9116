// The real file operations, one of which can be made to fail. Counts every call that changes
// something, so a test can fail each in turn.

#pragma once

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
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

  // The operation `number` (from 0, counted from now) fails with `error`.
  void FailAt(std::size_t number, After after, int error = EIO) {
    count_ = 0;
    fail_at_ = number;
    after_ = after;
    error_ = error;
  }

  // The same for operations that only look: open for reading, fstat, read.
  void FailLookAt(std::size_t number) {
    looks_ = 0;
    fail_look_at_ = number;
  }

  [[nodiscard]] std::size_t looks() const { return looks_; }

  // Every write takes at most this many bytes.
  void WriteAtMost(std::size_t bytes) { write_at_most_ = bytes; }

  // Changing operations since FailAt().
  [[nodiscard]] std::size_t count() const { return count_; }

  Result<UniqueFd> Open(int directory, const std::string& name, int flags, ::mode_t mode) override {
    if ((flags & (O_WRONLY | O_RDWR)) != 0 && Fails()) {
      return Failure();
    }
    if ((flags & (O_WRONLY | O_RDWR)) == 0) {
      BAOKMS_TRY(Look());
    }
    return real_.Open(directory, name, flags, mode);
  }

  Result<struct ::stat> Stat(int fd) override {
    BAOKMS_TRY(Look());
    return real_.Stat(fd);
  }

  Result<struct ::stat> StatName(int directory, const std::string& name) override {
    return real_.StatName(directory, name);
  }

  Result<std::size_t> Read(int fd, std::span<std::uint8_t> into) override {
    BAOKMS_TRY(Look());
    return real_.Read(fd, into);
  }

  // Writes half of it first when it is to fail: a full disk takes what fits.
  Result<std::size_t> Write(int fd, std::span<const std::uint8_t> bytes) override {
    if (Fails()) {
      (void)real_.Write(fd, bytes.first(bytes.size() / 2));
      return Failure();
    }
    return real_.Write(fd, bytes.first(std::min(bytes.size(), write_at_most_)));
  }

  Status Truncate(int fd) override { return Fails() ? Status(Failure()) : real_.Truncate(fd); }

  Status SetMode(int fd, ::mode_t mode) override {
    return Fails() ? Status(Failure()) : real_.SetMode(fd, mode);
  }

  // What fsync(2) does shows only after a power cut, which disk_model.h is for; here it would only
  // take milliseconds, thousands of times.
  Status Sync(int fd) override {
    if (Fails()) {
      return Failure();
    }
    const auto known = real_.Stat(fd);
    return known.has_value() ? Status() : Status(known.error());
  }

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

  Status Look() { return looks_++ == fail_look_at_ ? Status(Failure()) : Status(); }

  [[nodiscard]] Error Failure() const { return Error(ErrorCode::kSystem, "made to fail", error_); }

  SystemFileOps real_;
  std::size_t count_ = 0;
  std::size_t fail_at_ = kNever;
  After after_ = After::kGoesOn;
  int error_ = EIO;
  std::size_t looks_ = 0;
  std::size_t fail_look_at_ = kNever;
  std::size_t write_at_most_ = kNever;
};

}  // namespace baokms::supervisor
