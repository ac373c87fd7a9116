// A state directory in memory that behaves as a bad disk may: any operation can fail, a write can
// take less than it was given, and a power cut leaves what the kernel has promised and perhaps
// more. For histories of many thousand saves, which no real disk would take.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "supervisor/registry/file_ops.h"

namespace baokms::supervisor {

class MemoryDisk final : public FileOps {
 public:
  // Both decide what fails and what a power cut leaves. `random` must outlive the object.
  explicit MemoryDisk(std::mt19937& random) : random_(random) {}

  // One changing operation in `one_in` fails, with EIO, ENOSPC or EROFS; 0: none.
  void FailOneIn(std::uint32_t one_in) { fail_one_in_ = one_in; }

  // Forgets what was not durable, or keeps some of it. Descriptors that are open stay usable for
  // closing only.
  void CutPower();

  // The file as a program sees it now, or "".
  [[nodiscard]] std::string Read(const std::string& name) const;

  // The least that a power cut would leave now: name to content.
  [[nodiscard]] std::map<std::string, std::string> Durable() const;

  Result<UniqueFd> Open(int directory, const std::string& name, int flags, ::mode_t mode) override;
  Result<struct ::stat> Stat(int fd) override;
  Result<struct ::stat> StatName(int directory, const std::string& name) override;
  Result<std::size_t> Read(int fd, std::span<std::uint8_t> into) override;
  Result<std::size_t> Write(int fd, std::span<const std::uint8_t> bytes) override;
  Status Truncate(int fd) override;
  Status SetMode(int fd, ::mode_t mode) override;
  Status Sync(int fd) override;
  Status Close(UniqueFd fd) override;
  Status Rename(int directory, const std::string& from, const std::string& to) override;
  Status Remove(int directory, const std::string& name) override;

 private:
  struct Inode {
    std::string content;
    std::size_t durable = 0;  // bytes of it that are safe; all files are only ever appended to
    ::mode_t mode = 0;
  };

  using Names = std::map<std::string, std::size_t>;  // to the inode's index

  struct OpenFile {
    bool is_directory = false;
    std::size_t inode = 0;
    std::size_t offset = 0;
  };

  [[nodiscard]] const Names& names() const { return names_.back(); }

  void Change(Names names) { names_.push_back(std::move(names)); }

  // Empty: this operation works.
  Status MayFail();

  std::mt19937& random_;
  std::uint32_t fail_one_in_ = 0;
  std::vector<Inode> inodes_;
  std::vector<Names> names_{1};  // the first is durable, the last is what a program sees
  std::map<int, OpenFile> open_;
};

}  // namespace baokms::supervisor
