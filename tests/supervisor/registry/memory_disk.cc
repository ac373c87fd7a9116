#include "memory_disk.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace baokms::supervisor {
namespace {

// The umask of a typical service; SetMode() has to widen what it took away.
constexpr ::mode_t kUmask = 077;

Error Failure(int number) {
  return Error(ErrorCode::kSystem, "made to fail", number);
}

}  // namespace

Status MemoryDisk::MayFail() {
  if (fail_one_in_ == 0 || random_() % fail_one_in_ != 0) {
    return {};
  }
  constexpr std::array kErrors = {EIO, ENOSPC, EROFS};
  return Failure(kErrors.at(random_() % kErrors.size()));
}

void MemoryDisk::CutPower() {
  Names kept = names_[random_() % names_.size()];
  names_.assign(1, std::move(kept));
  for (Inode& inode : inodes_) {
    const std::size_t unsafe = inode.content.size() - inode.durable;
    inode.content.resize(inode.durable + (unsafe == 0 ? 0 : random_() % (unsafe + 1)));
    inode.durable = inode.content.size();
  }
}

std::string MemoryDisk::Read(const std::string& name) const {
  const auto found = names().find(name);
  return found == names().end() ? "" : inodes_[found->second].content;
}

std::map<std::string, std::string> MemoryDisk::Durable() const {
  std::map<std::string, std::string> files;
  for (const auto& [name, index] : names_.front()) {
    files[name] = inodes_[index].content.substr(0, inodes_[index].durable);
  }
  return files;
}

Result<UniqueFd> MemoryDisk::Open(int directory,
                                  const std::string& name,
                                  int flags,
                                  ::mode_t mode) {
  OpenFile file;
  if (directory == AT_FDCWD) {
    file.is_directory = true;
  } else if ((flags & O_CREAT) != 0) {
    BAOKMS_TRY(MayFail());
    if (names().contains(name)) {
      return Failure(EEXIST);
    }
    file.inode = inodes_.size();
    inodes_.push_back({.content = "", .durable = 0, .mode = S_IFREG | (mode & ~kUmask)});
    Names changed = names();
    changed[name] = file.inode;
    Change(std::move(changed));
  } else {
    const auto found = names().find(name);
    if (found == names().end()) {
      return Failure(ENOENT);
    }
    file.inode = found->second;
  }
  UniqueFd fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  open_[fd.get()] = file;
  return fd;
}

Result<struct ::stat> MemoryDisk::Stat(int fd) {
  struct ::stat info {};

  const OpenFile& file = open_.at(fd);
  info.st_mode = file.is_directory ? S_IFDIR | 0700 : inodes_[file.inode].mode;
  return info;
}

Result<struct ::stat> MemoryDisk::StatName(int, const std::string& name) {
  const auto found = names().find(name);
  if (found == names().end()) {
    return Failure(ENOENT);
  }

  struct ::stat info {};

  info.st_mode = inodes_[found->second].mode;
  return info;
}

Result<std::size_t> MemoryDisk::Read(int fd, std::span<std::uint8_t> into) {
  OpenFile& file = open_.at(fd);
  const std::string& content = inodes_[file.inode].content;
  const std::size_t count = std::min(into.size(), content.size() - file.offset);
  std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(file.offset), count, into.begin());
  file.offset += count;
  return count;
}

Result<std::size_t> MemoryDisk::Write(int fd, std::span<const std::uint8_t> bytes) {
  const Status failure = MayFail();
  const bool is_short = fail_one_in_ != 0 && random_() % 2 == 0;
  const std::size_t count =
      !failure.has_value() || is_short ? (bytes.size() + 1) / 2 : bytes.size();
  inodes_[open_.at(fd).inode].content.append(bytes.begin(),
                                             bytes.begin() + static_cast<std::ptrdiff_t>(count));
  BAOKMS_TRY(failure);
  return count;
}

Status MemoryDisk::Truncate(int) {
  return Failure(EINVAL);  // the registry's files are never truncated
}

Status MemoryDisk::SetMode(int fd, ::mode_t mode) {
  BAOKMS_TRY(MayFail());
  inodes_[open_.at(fd).inode].mode = S_IFREG | mode;
  return {};
}

Status MemoryDisk::Sync(int fd) {
  BAOKMS_TRY(MayFail());
  const OpenFile& file = open_.at(fd);
  if (file.is_directory) {
    names_.erase(names_.begin(), names_.end() - 1);
  } else {
    inodes_[file.inode].durable = inodes_[file.inode].content.size();
  }
  return {};
}

Status MemoryDisk::Close(UniqueFd fd) {
  open_.erase(fd.get());
  return MayFail();
}

Status MemoryDisk::Rename(int, const std::string& from, const std::string& to) {
  BAOKMS_TRY(MayFail());
  Names changed = names();
  changed[to] = changed.at(from);
  changed.erase(from);
  Change(std::move(changed));
  return {};
}

Status MemoryDisk::Remove(int, const std::string& name) {
  if (!names().contains(name)) {
    return Failure(ENOENT);
  }
  BAOKMS_TRY(MayFail());
  Names changed = names();
  changed.erase(name);
  Change(std::move(changed));
  return {};
}

}  // namespace baokms::supervisor
