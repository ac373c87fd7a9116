// The names of system calls, for logs, metrics and reports.

#pragma once

#include <cstdint>
#include <string>

namespace baokms::supervisor {

// Returns the name of a call of this architecture, such as "openat", or "unknown".
[[nodiscard]] std::string SyscallName(std::uint32_t number);

}  // namespace baokms::supervisor
