#include "supervisor/state_commands/report_file.h"

#include <sys/types.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/unique_fd.h"
#include "supervisor/config/safe_file.h"

namespace baokms::supervisor {
namespace {

constexpr mode_t kFileMode = 0640;

Status WriteAll(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t count = ::write(fd, content.data(), content.size());
    if (count < 0 && errno != EINTR) {
      return Error(ErrorCode::kSystem, "write", errno);
    }
    content.remove_prefix(count < 0 ? 0 : static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace

Status WriteNewFile(const std::string& path, std::string_view content) {
  UniqueFd file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kFileMode));
  if (!file.valid()) {
    return Error(ErrorCode::kSystem, "open", errno);
  }
  BAOKMS_TRY(WriteAll(file.get(), content));
  if (::fsync(file.get()) != 0) {
    return Error(ErrorCode::kSystem, "fsync", errno);
  }
  return ::close(file.release()) == 0 ? Status() : Error(ErrorCode::kSystem, "close", errno);
}

Result<std::string> ReadWholeFile(const std::string& path, std::size_t max_bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid()) {
    return Error(ErrorCode::kSystem, "open", errno);
  }
  return ReadRegularFile(file.get(), max_bytes);
}

}  // namespace baokms::supervisor
