#include "disk_model.h"

#include <fcntl.h>

#include <utility>

namespace baokms::supervisor {
namespace {

// One file's content: what is safe, and what was written after that.
struct Inode {
  std::string durable;
  std::string unsynced;
};

using Names = std::map<std::string, std::size_t>;  // to the inode's index

class Disk {
 public:
  explicit Disk(const DiskImage& image) {
    for (const auto& [name, content] : image) {
      durable_[name] = inodes_.size();
      inodes_.push_back({content, ""});
    }
    volatile_.push_back(durable_);
  }

  void Apply(const CreateOp& op) {
    Change([&](Names& names) { names[op.name] = inodes_.size(); });
    inodes_.push_back({});
  }

  void Apply(const WriteOp& op) { Find(op.name).unsynced += op.bytes; }

  void Apply(const SyncFileOp& op) {
    Inode& inode = Find(op.name);
    inode.durable += std::exchange(inode.unsynced, "");
  }

  void Apply(const RenameOp& op) {
    Change([&](Names& names) {
      names[op.to] = names.at(op.from);
      names.erase(op.from);
    });
  }

  void Apply(const RemoveOp& op) {
    Change([&](Names& names) { names.erase(op.name); });
  }

  void Apply(const SyncDirectoryOp&) { volatile_.erase(volatile_.begin(), volatile_.end() - 1); }

  // Names as of any moment since the last directory fsync, with nothing, half or all of the
  // unsynced data.
  [[nodiscard]] std::vector<DiskImage> Outcomes() const {
    std::vector<DiskImage> outcomes;
    for (const Names& names : volatile_) {
      for (const std::size_t halves : {0U, 1U, 2U}) {
        DiskImage image;
        for (const auto& [name, index] : names) {
          const Inode& inode = inodes_[index];
          image[name] =
              inode.durable + inode.unsynced.substr(0, inode.unsynced.size() * halves / 2);
        }
        outcomes.push_back(std::move(image));
      }
    }
    return outcomes;
  }

 private:
  template <typename F>
  void Change(F change) {
    Names names = volatile_.back();
    change(names);
    volatile_.push_back(std::move(names));
  }

  Inode& Find(const std::string& name) { return inodes_.at(volatile_.back().at(name)); }

  std::vector<Inode> inodes_;
  Names durable_;
  std::vector<Names> volatile_;  // the first is durable, the last is what the program sees
};

}  // namespace

Result<UniqueFd> RecordingFileOps::Open(int directory,
                                        const std::string& name,
                                        int flags,
                                        ::mode_t mode) {
  UniqueFd fd = BAOKMS_TRY(inner_.Open(directory, name, flags, mode));
  if ((flags & O_CREAT) != 0) {
    names_[fd.get()] = name;
    record_.emplace_back(CreateOp{name});
  }
  return fd;
}

Result<std::size_t> RecordingFileOps::Write(int fd, std::span<const std::uint8_t> bytes) {
  const std::size_t count = BAOKMS_TRY(inner_.Write(fd, bytes));
  const auto end = bytes.begin() + static_cast<std::ptrdiff_t>(count);
  record_.emplace_back(WriteOp{names_.at(fd), std::string(bytes.begin(), end)});
  return count;
}

Status RecordingFileOps::Sync(int fd) {
  BAOKMS_TRY(inner_.Sync(fd));
  const auto found = names_.find(fd);
  if (found == names_.end()) {
    record_.emplace_back(SyncDirectoryOp{});
  } else {
    record_.emplace_back(SyncFileOp{found->second});
  }
  return {};
}

Status RecordingFileOps::Close(UniqueFd fd) {
  names_.erase(fd.get());
  return inner_.Close(std::move(fd));
}

Status RecordingFileOps::Rename(int directory, const std::string& from, const std::string& to) {
  BAOKMS_TRY(inner_.Rename(directory, from, to));
  record_.emplace_back(RenameOp{from, to});
  return {};
}

Status RecordingFileOps::Remove(int directory, const std::string& name) {
  const Status removed = inner_.Remove(directory, name);
  if (removed.has_value()) {
    record_.emplace_back(RemoveOp{name});
  }
  return removed;
}

std::vector<DiskImage> AfterPowerCut(const DiskImage& before, std::span<const DiskOp> operations) {
  Disk disk(before);
  for (const DiskOp& operation : operations) {
    std::visit([&disk](const auto& op) { disk.Apply(op); }, operation);
  }
  return disk.Outcomes();
}

}  // namespace baokms::supervisor
