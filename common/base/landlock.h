// Removes file, port and signal rights from this process by path and number (landlock(7)), where
// the kernel supports it. System call filters cannot inspect paths, so only this can restrict
// access to some directories.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace baokms {

// The versions that first restrict more than the files of version 1: truncating a file, TCP ports,
// and abstract Unix sockets and signals (landlock(7)).
inline constexpr std::uint32_t kTruncateAbi = 3;
inline constexpr std::uint32_t kPortAbi = 4;
inline constexpr std::uint32_t kScopeAbi = 6;

// Whether Landlock restricts a process, and why not.
struct LandlockState {
  enum class Use : std::uint8_t { kOff, kNotSupported, kInForce };

  Use use = Use::kOff;    // kOff: not asked for; kNotSupported: the kernel has none
  std::uint32_t abi = 0;  // the kernel's version, if in force
  int sys_errno = 0;      // with kNotSupported: ENOSYS or EOPNOTSUPP without Landlock in the kernel
                          // (landlock(7)); another one from a filter that forbids it
};

// What remains permitted to a process. Descriptors that are open already are not affected.
struct LandlockRules {
  // A directory stands for everything below it, now or later. A file is this file only, and not
  // the one that replaces it. What does not exist is left out.
  std::vector<std::string> readable;    // if `reading` is restricted
  std::vector<std::string> changeable;  // reading, writing, creating and removing
  std::vector<std::string> sockets{};   // binding local sockets and removing them
  bool restrict_reading = true;
  // From ABI 4: the TCP ports to connect to and to listen on.
  bool restrict_ports = true;
  std::vector<std::uint16_t> connect_ports{};
  std::vector<std::uint16_t> listen_ports{};
  // From ABI 6: abstract Unix sockets and signals reach no process outside.
  bool restrict_scope = true;
};

// Restricts this thread, and every thread and process that it starts. Requires no_new_privs, and
// that there is no other thread. kNotSupported, and nothing changed, where the kernel has no
// Landlock; an older version restricts what it can.
Result<LandlockState> EnterLandlock(const LandlockRules& rules);

}  // namespace baokms
