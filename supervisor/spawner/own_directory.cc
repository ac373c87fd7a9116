#include "supervisor/spawner/own_directory.h"

#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>

#include "common/base/error.h"

namespace baokms::supervisor {

Result<std::string> OwnDirectory() {
  std::array<char, PATH_MAX> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  if (size <= 0 || static_cast<std::size_t>(size) == path.size()) {
    return Error(ErrorCode::kSystem, "readlink /proc/self/exe", errno);
  }
  const std::string own(path.data(), static_cast<std::size_t>(size));
  return own.substr(0, own.rfind('/') + 1);
}

}  // namespace baokms::supervisor
