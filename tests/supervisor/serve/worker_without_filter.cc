// What worker/main.cc calls instead of the functions with these names, which are macros here.

#include <cstdint>

#include "common/base/result.h"
#include "ipc/refused_syscall.h"
#include "worker/sandbox.h"

namespace baokms {

Status worker::EnterSandbox() {
  return {};
}

#ifdef ProveRefused
Result<std::uint32_t> ipc::ProveRefused(long number) {
  return static_cast<std::uint32_t>(number);
}
#endif

}  // namespace baokms
