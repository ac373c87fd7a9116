// Where the bytes of a SecretBuffer are: in the reserved pages of the process, which nobody else
// can read, or in pages that are locked.

#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/result.h"

namespace baokms {

inline constexpr std::size_t kSecretPage =
    4096;  // x86_64 and our aarch64 target (Debian's kernels)

// The size of the reservation. The channels of a worker and its tokens at their maximum occupy 93
// of its 256 pages; 96 requests, the default maximum of the service, occupy a page each at a worker
// that is the only one left. RLIMIT_MEMLOCK (8 MiB by default) must leave room for locked pages
// besides.
inline constexpr std::size_t kReservedSecretBytes = 256 * kSecretPage;

// Reserves memory of memfd_secret(2) for the secrets of this process, once, before it has a system
// call filter and a limit of file sizes. The kernel takes these pages out of its own map: reading
// or writing them through /proc/PID/mem, ptrace(2) or process_vm_readv(2) fails for root as well,
// and there is no descriptor that another process could map. They do not exist in a forked child.
// Where the kernel, its secretmem.enable, a filter, RLIMIT_MEMLOCK or RLIMIT_FSIZE refuses, secrets
// are in locked pages: /proc/PID/maps shows "/secretmem" or does not.
void ReserveSecretPages();

// Returns zeroed pages for at least `size` bytes, which the caller owns: reserved ones, or, if
// there is no reservation or it is used up, locked ones (mlock, MADV_DONTDUMP, MADV_WIPEONFORK).
// kSystem: one of these three failed. Thread-safe, as is the next function.
Result<std::uint8_t*> TakeSecretPages(std::size_t size);

// Takes back what TakeSecretPages(size) returned. The caller has wiped it.
void ReturnSecretPages(std::uint8_t* pages, std::size_t size);

}  // namespace baokms
