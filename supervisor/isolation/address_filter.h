// Whether the service manager limits the addresses that a process exchanges packets with, as
// IPAddressAllow= and IPAddressDeny= of systemd do: by a program of the kernel that is attached to
// the control group of the process and looks each address up in a list (bpf(2)).

#pragma once

#include <sys/types.h>

#include <cstdint>

namespace baokms::supervisor {

enum class AddressFilter : std::uint8_t {
  kUnknown,  // this kernel, its control groups or the rights of this process do not tell
  kNone,
  kList,  // outgoing packets are looked up in a list; what it permits is not known
};

// Looks at the control group of the process and at those above it. Requires CAP_SYS_ADMIN.
AddressFilter AddressFilterOf(pid_t pid);

}  // namespace baokms::supervisor
