#include "supervisor/serve/privileges.h"

#include <sys/capability.h>

#include <cerrno>
#include <memory>

#include "common/base/deleter.h"
#include "common/base/error.h"

namespace baokms::supervisor {
namespace {

using CapabilitySet = std::unique_ptr<std::remove_pointer_t<cap_t>, Deleter<cap_free>>;

}  // namespace

Status DropCapabilities() {
  // Dropping from the bounding set requires CAP_SETPCAP. Without it, no_new_privs already keeps the
  // bounding set from adding anything to the other sets.
  for (cap_value_t value = 0; CAP_IS_SUPPORTED(value); ++value) {
    (void)::cap_drop_bound(value);
  }
  BAOKMS_TRY(CheckSyscall(::cap_reset_ambient(), "cap_reset_ambient"));
  const CapabilitySet none(::cap_init());
  if (none == nullptr || ::cap_set_proc(none.get()) != 0) {
    return Error(ErrorCode::kSystem, "cap_set_proc", errno);
  }
  return {};
}

}  // namespace baokms::supervisor
