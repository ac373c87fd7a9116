#include "supervisor/config/safe_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include <fcntl.h>

#include <string_view>

#include <unistd.h>

#include <utility>
#include <vector>

namespace baokms::supervisor {
namespace {

// As many as the kernel follows before it answers ELOOP.
constexpr int kMaxSymlinks = 40;

constexpr mode_t kOthersCanWrite = S_IWGRP | S_IWOTH;

std::string SystemText(int error_number) {
  return std::strerror(error_number);
}

std::string CannotLook() {
  return std::string("cannot be looked at: ").append(SystemText(errno));
}

std::string CannotOpen(int error_number) {
  return std::string("cannot be opened: ").append(SystemText(error_number));
}

// The parts of a path still to walk, the next one last.
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

// Walks a path part by part. After Walk() `found` holds an O_PATH descriptor of the last part.
class PathWalk {
 public:
  PathWalk(const std::string& path, FinalSymlink final_symlink, TrustedOwners owners)
      : path_(path), final_symlink_(final_symlink), owners_(owners), left_(ReversedParts(path)) {}

  // Nothing when the walk arrived, else what stopped it.
  std::optional<std::string> Walk() {
    if (path_.empty() || path_.front() != '/') {
      return "must be an absolute path";
    }
    if (path_.find('\0') != std::string::npos) {
      return "must not hold NUL";
    }
    if (auto refusal = StartAtRoot()) {
      return refusal;
    }
    while (!left_.empty()) {
      if (auto refusal = Step()) {
        return refusal;
      }
    }
    return std::nullopt;
  }

  // The directory that the last part was opened in, and its name there; for a second open.
  [[nodiscard]] int parent() const { return parent_.get(); }

  [[nodiscard]] const std::string& name() const { return name_; }

  [[nodiscard]] const struct stat& info() const { return info_; }

  UniqueFd TakeFound() { return std::move(here_); }

 private:
  std::optional<std::string> StartAtRoot() {
    here_ = UniqueFd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    at_.assign(1, '/');
    if (!here_.valid() || ::fstat(here_.get(), &info_) != 0) {
      return CannotLook();
    }
    return std::nullopt;
  }

  // Enters what is at hand as a directory and looks at the next part.
  std::optional<std::string> Step() {
    if (auto refusal = CheckDirectory()) {
      return refusal;
    }
    name_ = std::move(left_.back());
    left_.pop_back();
    parent_ = std::move(here_);
    const bool parent_writable = (info_.st_mode & kOthersCanWrite) != 0;
    here_ = UniqueFd(::openat(parent_.get(), name_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    const int open_error = errno;
    if (name_ == "..") {
      at_.resize(std::max<std::size_t>(at_.rfind('/'), 1));
    } else {
      at_.append(at_.size() > 1 ? "/" : "").append(name_);
    }
    if (!here_.valid()) {
      return Named(CannotOpen(open_error));
    }
    if (::fstat(here_.get(), &info_) != 0) {
      return Named(CannotLook());
    }
    if (S_ISLNK(info_.st_mode)) {
      return FollowLink(parent_writable);
    }
    return std::nullopt;
  }

  // The directory the next part will be looked up in.
  std::optional<std::string> CheckDirectory() {
    if (!S_ISDIR(info_.st_mode)) {
      return Named("is not a directory");
    }
    if ((info_.st_mode & kOthersCanWrite) != 0 && (info_.st_mode & S_ISVTX) == 0) {
      return Named("is writable by others");
    }
    if (info_.st_uid != 0 && info_.st_uid != owners_.user) {
      return Named("must belong to root or to the user of this process");
    }
    only_roots_ = only_roots_ && info_.st_uid == 0;
    return std::nullopt;
  }

  std::optional<std::string> FollowLink(bool parent_writable) {
    if (left_.empty() && final_symlink_ == FinalSymlink::kRefused) {
      return Named("must not be a symlink");
    }
    if (!only_roots_ || (parent_writable && info_.st_uid != 0)) {
      return Named("is a symlink in a path that is not root's alone");
    }
    if (++links_ > kMaxSymlinks) {
      return "goes through too many symlinks";
    }
    std::array<char, PATH_MAX> target{};
    const ssize_t size = ::readlinkat(here_.get(), "", target.data(), target.size());
    if (size <= 0 || static_cast<std::size_t>(size) == target.size()) {
      return Named("is a symlink that cannot be read");
    }
    const std::string_view text(target.data(), static_cast<std::size_t>(size));
    for (std::string& part : ReversedParts(text)) {
      left_.push_back(std::move(part));
    }
    return text.front() == '/' ? StartAtRoot() : ReturnToParent();
  }

  std::optional<std::string> ReturnToParent() {
    here_ = std::move(parent_);
    at_.resize(std::max<std::size_t>(at_.rfind('/'), 1));
    if (::fstat(here_.get(), &info_) != 0) {
      return Named(CannotLook());
    }
    return std::nullopt;
  }

  // What is wrong, with the place in front unless that is the path itself.
  [[nodiscard]] std::string Named(std::string_view what) const {
    std::string text;
    if (at_ != path_) {
      text.append(at_).append(" ");
    }
    return text.append(what);
  }

  const std::string& path_;
  const FinalSymlink final_symlink_;
  const TrustedOwners owners_;
  std::vector<std::string> left_;
  std::string at_;
  std::string name_;
  UniqueFd here_;
  UniqueFd parent_;

  struct stat info_ {};

  bool only_roots_ = true;
  int links_ = 0;
};

std::optional<std::string> CheckOwnerAndMode(const struct stat& info,
                                             mode_t forbidden_bits,
                                             TrustedOwners owners) {
  if (info.st_uid != 0 && info.st_uid != owners.user) {
    return "must belong to root or to the user of this process";
  }
  const mode_t bad = info.st_mode & forbidden_bits;
  if (bad != 0) {
    std::string text = "has permissions that are not allowed: mode bits 0";
    for (const unsigned shift : {6U, 3U, 0U}) {
      text.push_back(static_cast<char>('0' + ((bad >> shift) & 7U)));
    }
    return text;
  }
  return std::nullopt;
}

SafeOpened Refuse(std::string why) {
  return {UniqueFd(), std::move(why)};
}

}  // namespace

TrustedOwners TrustedOwners::Mine() {
  return {::geteuid()};
}

SafeOpened OpenSafeFile(const std::string& path, const FileRules& rules, TrustedOwners owners) {
  PathWalk walk(path, FinalSymlink::kByRule, owners);
  if (auto refusal = walk.Walk()) {
    return Refuse(*std::move(refusal));
  }
  if (!S_ISREG(walk.info().st_mode)) {
    return Refuse("is not a regular file");
  }
  if (auto refusal = CheckOwnerAndMode(walk.info(), rules.forbidden_bits, owners)) {
    return Refuse(*std::move(refusal));
  }
  // The walk's descriptor cannot be read from; a second one is of the same file or refused.
  UniqueFd fd(::openat(walk.parent(), walk.name().c_str(),
                       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) {
    return Refuse(CannotOpen(errno));
  }

  struct stat info {};

  if (::fstat(fd.get(), &info) != 0 || info.st_dev != walk.info().st_dev ||
      info.st_ino != walk.info().st_ino) {
    return Refuse("changed while it was opened");
  }
  if (auto refusal = CheckOwnerAndMode(info, rules.forbidden_bits, owners)) {
    return Refuse(*std::move(refusal));
  }
  return {std::move(fd), std::nullopt};
}

SafeOpened OpenSafeDirectory(const std::string& path,
                             const DirectoryRules& rules,
                             TrustedOwners owners) {
  PathWalk walk(path, rules.final_symlink, owners);
  if (auto refusal = walk.Walk()) {
    return Refuse(*std::move(refusal));
  }
  if (!S_ISDIR(walk.info().st_mode)) {
    return Refuse("is not a directory");
  }
  if (auto refusal = CheckOwnerAndMode(walk.info(), rules.forbidden_bits, owners)) {
    return Refuse(*std::move(refusal));
  }
  return {walk.TakeFound(), std::nullopt};
}

Result<std::string> ReadRegularFile(int fd, std::size_t max) {
  struct stat info {};

  if (::fstat(fd, &info) != 0) {
    return Error(ErrorCode::kSystem, "cannot be looked at", errno);
  }
  if (!S_ISREG(info.st_mode)) {
    return Error(ErrorCode::kInvalidArgument, "is not a regular file");
  }
  std::string text;
  std::array<char, 16384> chunk{};
  while (true) {
    const ssize_t got = ::pread(fd, chunk.data(), chunk.size(), static_cast<off_t>(text.size()));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return Error(ErrorCode::kSystem, "cannot be read", errno);
    }
    if (got == 0) {
      return text;
    }
    text.append(chunk.data(), static_cast<std::size_t>(got));
    if (text.size() > max) {
      return Error(ErrorCode::kResourceExhausted, "is too large");
    }
  }
}

std::string DescribeFileError(const Error& error) {
  std::string text(error.what());
  if (error.sys_errno() != 0) {
    text.append(": ").append(SystemText(error.sys_errno()));
  }
  return text;
}

}  // namespace baokms::supervisor
