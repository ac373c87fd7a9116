#include "common/base/safe_path.h"

#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace baokms {
namespace {

// The same number that the kernel follows (path_resolution(7)).
constexpr int kMaxLinks = 40;

constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;

constexpr mode_t kPermissionBits = 07777;

// Returns the components of a path in reverse order, so that the next one is at the back.
std::vector<std::string> ReversedParts(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    const std::string_view part = slash == std::string_view::npos ? path : path.substr(slash + 1);
    if (!part.empty() && part != ".") {
      parts.emplace_back(part);
    }
    path = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
  }
  return parts;
}

struct WalkRules {
  uid_t own_user = 0;
  DirectoryOwners directories = DirectoryOwners::kAnyone;
  FinalSymlink final_symlink = FinalSymlink::kByRule;
};

// One walk from the root directory to the last component of a path. Each step returns the reason if
// the walk must stop.
class Walk final {
 public:
  using Stop = std::optional<PathRefusal>;

  Walk(const std::string& path, const WalkRules& rules)
      : path_(path), rules_(rules), left_(ReversedParts(path)) {}

  Stop Run() {
    at_ = path_;
    if (path_.empty() || path_.front() != '/' || path_.size() >= PATH_MAX ||
        path_.find('\0') != std::string::npos) {
      return Refuse(PathRule::kForm);
    }
    Stop stop = StartAtRoot();
    while (!stop && !left_.empty()) {
      stop = Step();
    }
    return stop;
  }

  // The directory in which the last component was opened, and its name there, for a second open.
  [[nodiscard]] int parent() const { return parent_.get(); }

  [[nodiscard]] const std::string& name() const { return name_; }

  [[nodiscard]] const struct stat& info() const { return info_; }

  UniqueFd TakeFound() { return std::move(here_); }

  [[nodiscard]] PathRefusal Refuse(PathRule rule, int sys_errno = 0) const {
    return Refuse(rule, info_, 0, sys_errno);
  }

  // Checks owner and mode of the object that the walk found, or of its second descriptor.
  [[nodiscard]] Stop CheckFound(const struct stat& info, mode_t forbidden_bits) const {
    if (info.st_uid != 0 && info.st_uid != rules_.own_user) {
      return Refuse(PathRule::kOwner, info, 0, 0);
    }
    if ((info.st_mode & forbidden_bits) != 0) {
      return Refuse(PathRule::kMode, info, forbidden_bits, 0);
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] PathRefusal Refuse(PathRule rule,
                                   const struct stat& info,
                                   mode_t bits,
                                   int sys_errno) const {
    return {.rule = rule,
            .component = at_,
            .bits = bits,
            .sys_errno = sys_errno,
            .mode = info.st_mode,
            .owner = info.st_uid,
            .own_user = rules_.own_user};
  }

  Stop StartAtRoot() {
    here_ = UniqueFd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    at_.assign(1, '/');
    return LookAround();
  }

  Stop LookAround() {
    if (!here_.valid() || ::fstat(here_.get(), &info_) != 0) {
      return Refuse(PathRule::kOpens, errno);
    }
    return std::nullopt;
  }

  // Enters the current directory and examines the next component.
  Stop Step() {
    if (Stop stop = CheckDirectory()) {
      return stop;
    }
    name_ = std::move(left_.back());
    left_.pop_back();
    parent_ = std::move(here_);
    here_ = UniqueFd(::openat(parent_.get(), name_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    const int open_error = errno;
    if (name_ == "..") {
      LeavePart();
    } else {
      at_.append(at_.size() > 1 ? "/" : "").append(name_);
    }
    if (!here_.valid()) {
      return Refuse(PathRule::kOpens, open_error);
    }
    if (Stop stop = LookAround()) {
      return stop;
    }
    return S_ISLNK(info_.st_mode) ? FollowLink() : std::nullopt;
  }

  void LeavePart() { at_.resize(std::max<std::size_t>(at_.rfind('/'), 1)); }

  // Checks the directory in which the next component will be looked up.
  Stop CheckDirectory() {
    if (!S_ISDIR(info_.st_mode)) {
      return Refuse(PathRule::kDirectory, ENOTDIR);
    }
    if ((info_.st_mode & kWritableByOthers) != 0 && (info_.st_mode & S_ISVTX) == 0) {
      return Refuse(PathRule::kNotWritable, info_, kWritableByOthers, 0);
    }
    const bool foreign = info_.st_uid != 0;
    if (rules_.directories == DirectoryOwners::kRootOrOwn && foreign &&
        info_.st_uid != rules_.own_user) {
      return Refuse(PathRule::kOwner);
    }
    if (rules_.directories == DirectoryOwners::kAnyone && foreign && links_ > 0) {
      return Refuse(PathRule::kLink);
    }
    only_roots_ = only_roots_ && !foreign;
    return std::nullopt;
  }

  Stop FollowLink() {
    if (left_.empty() && rules_.final_symlink == FinalSymlink::kRefused) {
      return Refuse(PathRule::kFinalLink);
    }
    if (!only_roots_ || info_.st_uid != 0) {
      return Refuse(PathRule::kLink);
    }
    if (++links_ > kMaxLinks) {
      return Refuse(PathRule::kLinks);
    }
    std::array<char, PATH_MAX> target{};
    const ssize_t size = ::readlinkat(here_.get(), "", target.data(), target.size());
    if (size <= 0 || static_cast<std::size_t>(size) == target.size()) {
      return Refuse(PathRule::kReadableLink, errno);
    }
    const std::string_view text(target.data(), static_cast<std::size_t>(size));
    for (std::string& part : ReversedParts(text)) {
      left_.push_back(std::move(part));
    }
    if (text.front() == '/') {
      return StartAtRoot();
    }
    here_ = std::move(parent_);
    LeavePart();
    return LookAround();
  }

  const std::string& path_;
  const WalkRules& rules_;
  std::vector<std::string> left_;
  std::string at_;
  std::string name_;
  UniqueFd here_;
  UniqueFd parent_;

  struct stat info_ {};

  bool only_roots_ = true;
  int links_ = 0;
};

std::optional<PathRefusal> CheckFile(const Walk& walk,
                                     const struct stat& info,
                                     const FileRules& rules) {
  if (!S_ISREG(info.st_mode)) {
    return walk.Refuse(PathRule::kRegular);
  }
  if (auto refusal = walk.CheckFound(info, rules.forbidden_bits)) {
    return refusal;
  }
  if (static_cast<std::uint64_t>(info.st_size) > rules.max_size) {
    PathRefusal refusal = walk.Refuse(PathRule::kSize);
    refusal.max_size = rules.max_size;
    return refusal;
  }
  return std::nullopt;
}

std::string Octal(mode_t mode) {
  std::array<char, 8> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), mode, 8).ptr;
  return "0" + std::string(digits.begin(), end);
}

// Returns the permission bits that serve a purpose: nothing executes a configured file, and a
// directory may be sticky.
mode_t UsefulBits(mode_t mode) {
  return S_ISDIR(mode) ? kPermissionBits : 0666;
}

std::string ModeRemedy(const PathRefusal& refusal, const std::string& place) {
  return "; run chmod " + Octal(refusal.mode & UsefulBits(refusal.mode) & ~refusal.bits) + " " +
         place;
}

Opened Refused(PathRefusal refusal) {
  return {UniqueFd(), 0, std::move(refusal)};
}

std::int64_t Nanoseconds(const timespec& time) {
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

std::string DescribeMode(mode_t mode, mode_t forbidden_bits) {
  return "mode " + Octal(mode & kPermissionBits) + ", at most " +
         Octal(UsefulBits(mode) & 0777 & ~forbidden_bits) + " is allowed";
}

std::string PathRefusal::Describe(const std::string& place) const {
  switch (rule) {
    case PathRule::kForm:
      return "must be an absolute path without NUL and shorter than 4096 bytes";
    case PathRule::kOpens:
      return std::string("cannot be opened: ")
          .append(std::strerror(sys_errno))
          .append(sys_errno == ENOENT ? "; create it, or correct the path"
                                      : "; check its owner and mode");
    case PathRule::kDirectory:
      return "is not a directory; correct the path";
    case PathRule::kNotWritable:
      return "is writable by others: " + DescribeMode(mode, bits) + ModeRemedy(*this, place);
    case PathRule::kOwner:
      return "belongs to uid " + std::to_string(owner) + " but this process is uid " +
             std::to_string(own_user) + "; run chown " + std::to_string(own_user) + " " + place;
    case PathRule::kLink:
      return "is a symbolic link in a directory not owned by root; configure the path without it";
    case PathRule::kFinalLink:
      return "must not be a symbolic link; configure the path without it";
    case PathRule::kLinks:
      return "goes through too many symbolic links; configure the path without them";
    case PathRule::kReadableLink:
      return "is a symbolic link that cannot be read; configure the path without it";
    case PathRule::kRegular:
      return "is not a regular file; correct the path";
    case PathRule::kMode:
      return DescribeMode(mode, bits) + ModeRemedy(*this, place);
    case PathRule::kSize:
      return "is larger than " + std::to_string(max_size) + " bytes; check what writes it";
    case PathRule::kSame:
      break;
  }
  return "changed while it was opened; replace it with a rename";
}

// The walk found a regular file just before this second open. O_NONBLOCK keeps a FIFO that replaced
// it from blocking the process.
Opened OpenFileByRules(const std::string& path, const FileRules& rules) {
  const WalkRules walk_rules{rules.own_user, rules.directories, FinalSymlink::kByRule};
  Walk walk(path, walk_rules);
  if (auto refusal = walk.Run()) {
    return Refused(*std::move(refusal));
  }
  if (auto refusal = CheckFile(walk, walk.info(), rules)) {
    return Refused(*std::move(refusal));
  }
  UniqueFd fd(::openat(walk.parent(), walk.name().c_str(),
                       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) {
    return Refused(walk.Refuse(errno == ELOOP ? PathRule::kSame : PathRule::kOpens, errno));
  }

  struct stat info {};

  if (::fstat(fd.get(), &info) != 0 || info.st_dev != walk.info().st_dev ||
      info.st_ino != walk.info().st_ino) {
    return Refused(walk.Refuse(PathRule::kSame));
  }
  if (auto refusal = CheckFile(walk, info, rules)) {
    return Refused(*std::move(refusal));
  }
  return {std::move(fd), static_cast<std::size_t>(info.st_size), std::nullopt};
}

Opened OpenDirectoryByRules(const std::string& path, const DirectoryRules& rules) {
  const WalkRules walk_rules{rules.own_user, DirectoryOwners::kRootOrOwn, rules.final_symlink};
  Walk walk(path, walk_rules);
  if (auto refusal = walk.Run()) {
    return Refused(*std::move(refusal));
  }
  if (!S_ISDIR(walk.info().st_mode)) {
    return Refused(walk.Refuse(PathRule::kDirectory, ENOTDIR));
  }
  if (auto refusal = walk.CheckFound(walk.info(), rules.forbidden_bits)) {
    return Refused(*std::move(refusal));
  }
  return {walk.TakeFound(), 0, std::nullopt};
}

FileStamp StampFile(const std::string& path) {
  struct stat info {};

  if (::stat(path.c_str(), &info) != 0) {
    return {};
  }
  return {info.st_dev, info.st_ino, info.st_size, Nanoseconds(info.st_mtim),
          Nanoseconds(info.st_ctim)};
}

}  // namespace baokms
