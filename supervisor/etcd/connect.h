// A TCP connection to a host by name or address, for a process that may no longer load what
// getaddrinfo(3) needs.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>

#include "common/base/unique_fd.h"

namespace baokms::supervisor {

// Tries the addresses of `host` one after the other, each for `limit` at most. The descriptor is
// non-blocking and connected; the text says why there is none.
std::variant<UniqueFd, std::string> ConnectTo(const std::string& host,
                                              std::uint16_t port,
                                              std::chrono::milliseconds limit);

}  // namespace baokms::supervisor
