#include "common/base/unique_fd.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace baokms {

void UniqueFd::reset(int fd) {
  const int old = std::exchange(fd_, fd);
  if (old < 0) {
    return;
  }
  // EBADF means that someone else closed our descriptor: a descriptor we do not own may be next.
  // Stop here. EINTR is not retried: on Linux the descriptor is gone either way.
  if (::close(old) != 0 && errno == EBADF) {
    std::abort();
  }
}

}  // namespace baokms
