#include "common/base/unique_fd.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace baokms {

void UniqueFd::reset(int fd) {
  const int old = std::exchange(fd_, fd);
  if (old < 0) {
    return;
  }
  // EBADF means that other code closed our descriptor and may close one that is not ours next, so
  // the process stops here. EINTR is not retried: on Linux the descriptor is released in either
  // case.
  if (::close(old) != 0 && errno == EBADF) {
    std::abort();
  }
}

}  // namespace baokms
