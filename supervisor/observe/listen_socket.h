// A listening TCP socket for an HTTP listener.

#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms::supervisor {

struct ListenSocket {
  UniqueFd fd;  // non-blocking, close-on-exec, listening
  std::uint16_t port = 0;
};

// Opens a listening socket. `host` is as in ListenAddress; every interface means IPv6 with IPv4
// where the kernel supports IPv6. With `port` 0 the kernel chooses. kUnavailable: it could not be
// bound, errno gives the reason. kNotFound: the host has no address.
Result<ListenSocket> Listen(const std::string& host, std::uint16_t port);

}  // namespace baokms::supervisor
