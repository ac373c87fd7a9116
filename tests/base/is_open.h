// Whether a descriptor is open, asked of the kernel.

#pragma once

#include <fcntl.h>

namespace baokms {

inline bool IsOpen(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

}  // namespace baokms
