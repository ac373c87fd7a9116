// The part of `probe` before the first call: the identity of the client, and whether the socket can
// be reached.

#pragma once

#include <chrono>
#include <string>

#include "common/base/unique_fd.h"
#include "supervisor/state_commands/check_report.h"

namespace baokms::supervisor {

// Adds client.identity, socket.path, socket.access_scope and, if it fails, socket.connect. Returns
// a connected, non-blocking descriptor, or an invalid one after a failed check.
UniqueFd ReachSocket(const std::string& path,
                     std::chrono::steady_clock::time_point deadline,
                     CheckReport& report);

}  // namespace baokms::supervisor
