// What a disk may hold after a power cut: a recorder of file operations, and a model that turns any
// prefix of the record into every outcome that the kernel's promises allow. Data that was not
// fsynced may be lost in part or whole; a rename may be lost until the directory was fsynced.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "supervisor/registry/file_ops.h"

namespace baokms::supervisor {

struct CreateOp {
  std::string name;
};

struct WriteOp {
  std::string name;
  std::string bytes;
};

struct SyncFileOp {
  std::string name;
};

struct RenameOp {
  std::string from;
  std::string to;
};

struct RemoveOp {
  std::string name;
};

struct SyncDirectoryOp {};

using DiskOp = std::variant<CreateOp, WriteOp, SyncFileOp, RenameOp, RemoveOp, SyncDirectoryOp>;

// Name to content.
using DiskImage = std::map<std::string, std::string>;

// Passes operations on and writes down what was done. One that failed is not in the record: it
// promised nothing, and what it may have done is among what a power cut may leave anyway.
class RecordingFileOps final : public FileOps {
 public:
  // `inner` does the work and must outlive the object.
  explicit RecordingFileOps(FileOps& inner) : inner_(inner) {}

  [[nodiscard]] const std::vector<DiskOp>& record() const { return record_; }

  void Clear() { record_.clear(); }

  Result<UniqueFd> Open(int directory, const std::string& name, int flags, ::mode_t mode) override;

  Result<struct ::stat> Stat(int fd) override { return inner_.Stat(fd); }

  Result<struct ::stat> StatName(int directory, const std::string& name) override {
    return inner_.StatName(directory, name);
  }

  Result<std::size_t> Read(int fd, std::span<std::uint8_t> into) override {
    return inner_.Read(fd, into);
  }

  Result<std::size_t> Write(int fd, std::span<const std::uint8_t> bytes) override;

  Status Truncate(int fd) override { return inner_.Truncate(fd); }

  Status SetMode(int fd, ::mode_t mode) override { return inner_.SetMode(fd, mode); }

  Status Sync(int fd) override;
  Status Close(UniqueFd fd) override;
  Status Rename(int directory, const std::string& from, const std::string& to) override;
  Status Remove(int directory, const std::string& name) override;

 private:
  FileOps& inner_;
  std::map<int, std::string> names_;  // of files open for writing
  std::vector<DiskOp> record_;
};

// Every image that may be found after `operations` were done on `before` and the power failed.
std::vector<DiskImage> AfterPowerCut(const DiskImage& before, std::span<const DiskOp> operations);

}  // namespace baokms::supervisor
