#include "common/base/safe_path.h"

#include <sys/stat.h>
#include <sys/types.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <deque>

#include <fcntl.h>

#include <string>
#include <string_view>

#include <unistd.h>

#include <utility>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms {
namespace {

// As many as the kernel follows (path_resolution(7)).
constexpr int kMaxLinks = 40;

constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;

Error OpenError() {
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
      return Error(ErrorCode::kNotFound, "file missing", errno);
    case ELOOP:
      return Error(ErrorCode::kUnavailable, "file replaced while it was opened", errno);
    default:
      return Error(ErrorCode::kSystem, "file not readable", errno);
  }
}

Result<struct stat> StatOf(int fd) {
  struct stat info {};

  if (::fstat(fd, &info) != 0) {
    return Error(ErrorCode::kSystem, "fstat", errno);
  }
  return info;
}

// One walk from the root directory to a regular file.
class Walk final {
 public:
  explicit Walk(const FileRules& rules) : rules_(rules) {}

  Result<SafeFile> Open(std::string_view path) {
    PushFront(path);
    BAOKMS_TRY(EnterRoot());
    while (!parts_.empty()) {
      const std::string part = std::move(parts_.front());
      parts_.pop_front();
      UniqueFd next(::openat(here_.get(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
      if (!next.valid()) {
        return OpenError();
      }
      const struct stat info = BAOKMS_TRY(StatOf(next.get()));
      if (S_ISLNK(info.st_mode)) {
        BAOKMS_TRY(Follow(next.get(), info));
      } else if (!parts_.empty()) {
        BAOKMS_TRY(Enter(std::move(next), info));
      } else {
        return Finish(part, info);
      }
    }
    return Error(ErrorCode::kPermissionDenied, "not a regular file");
  }

 private:
  // Puts the components of `path` in front of those that are left.
  void PushFront(std::string_view path) {
    std::deque<std::string> parts;
    while (!path.empty()) {
      const std::size_t end = path.find('/');
      const std::string_view part = path.substr(0, end);
      if (!part.empty() && part != ".") {
        parts.emplace_back(part);
      }
      path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
    }
    parts_.insert(parts_.begin(), parts.begin(), parts.end());
  }

  Status EnterRoot() {
    UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root.valid()) {
      return OpenError();
    }
    const struct stat info = BAOKMS_TRY(StatOf(root.get()));
    return Enter(std::move(root), info);
  }

  Status Enter(UniqueFd directory, const struct stat& info) {
    if (!S_ISDIR(info.st_mode)) {
      return Error(ErrorCode::kNotFound, "file missing", ENOTDIR);
    }
    if ((info.st_mode & kWritableByOthers) != 0 && (info.st_mode & S_ISVTX) == 0) {
      return Error(ErrorCode::kPermissionDenied, "a directory on the way is writable by others");
    }
    if (info.st_uid != 0) {
      foreign_directory_ = true;
    }
    here_ = std::move(directory);
    return CheckLinkRule();
  }

  Status Follow(int link, const struct stat& info) {
    if (++links_ > kMaxLinks || info.st_uid != 0) {
      return Error(ErrorCode::kPermissionDenied, "symbolic link not owned by root, or too many");
    }
    BAOKMS_TRY(CheckLinkRule());
    std::array<char, PATH_MAX> target{};
    const ssize_t size = ::readlinkat(link, "", target.data(), target.size());
    if (size <= 0 || static_cast<std::size_t>(size) == target.size()) {
      return Error(ErrorCode::kSystem, "readlinkat", errno);
    }
    const std::string_view text(target.data(), static_cast<std::size_t>(size));
    PushFront(text);
    return text.front() == '/' ? EnterRoot() : Status();
  }

  [[nodiscard]] Status CheckLinkRule() const {
    if (links_ > 0 && foreign_directory_) {
      return Error(ErrorCode::kPermissionDenied,
                   "symbolic link on a path with directories not owned by root");
    }
    return {};
  }

  [[nodiscard]] Status CheckFile(const struct stat& info) const {
    if (!S_ISREG(info.st_mode)) {
      return Error(ErrorCode::kPermissionDenied, "not a regular file");
    }
    if ((info.st_mode & rules_.forbidden_bits) != 0) {
      return Error(ErrorCode::kPermissionDenied, "file mode allows too much");
    }
    if (info.st_uid != 0 && info.st_uid != rules_.own_user) {
      return Error(ErrorCode::kPermissionDenied, "file owned by neither root nor our user");
    }
    if (static_cast<std::uint64_t>(info.st_size) > rules_.max_size) {
      return Error(ErrorCode::kResourceExhausted, "file too large");
    }
    return {};
  }

  // Opens the last component for reading. A regular file was seen under this name just before;
  // O_NONBLOCK keeps a pipe that replaced it from holding us up.
  Result<SafeFile> Finish(const std::string& name, const struct stat& seen) const {
    BAOKMS_TRY(CheckFile(seen));
    UniqueFd file(::openat(here_.get(), name.c_str(),
                           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file.valid()) {
      return OpenError();
    }
    const struct stat info = BAOKMS_TRY(StatOf(file.get()));
    if (info.st_dev != seen.st_dev || info.st_ino != seen.st_ino) {
      return Error(ErrorCode::kUnavailable, "file replaced while it was opened");
    }
    BAOKMS_TRY(CheckFile(info));
    return SafeFile{std::move(file), static_cast<std::size_t>(info.st_size)};
  }

  const FileRules& rules_;
  std::deque<std::string> parts_;
  UniqueFd here_;
  int links_ = 0;
  bool foreign_directory_ = false;
};

std::int64_t Nanoseconds(const timespec& time) {
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Result<SafeFile> OpenSafeFile(const std::string& path, const FileRules& rules) {
  if (path.empty() || path.front() != '/' || path.size() >= PATH_MAX ||
      path.find('\0') != std::string::npos) {
    return Error(ErrorCode::kInvalidArgument, "path not absolute or too long");
  }
  return Walk(rules).Open(path);
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
