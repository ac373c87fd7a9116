#include "authagent/confinement.h"

#include <sys/resource.h>

#include <cstdint>
#include <string>

#include "authagent/agent.h"
#include "authagent/sandbox.h"
#include "common/base/landlock.h"
#include "common/base/result.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_process.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {
namespace {

// One connection and one channel per worker slot, the credential file, and the loop's own
// descriptors.
constexpr rlim_t kOpenFiles = 96;
// Measured usage is below 8 MiB; this leaves room for a JWT and a CA bundle of the maximum size.
constexpr rlim_t kDataBytes = rlim_t{96} << 20U;

// Vendor code may need token files, sockets, and its own stacks and heaps.
constexpr rlim_t kModuleOpenFiles = 512;
constexpr rlim_t kModuleDataBytes = rlim_t{512} << 20U;

}  // namespace

ipc::ChildLimits LimitsOf(const ipc::AgentSetup& setup) {
  const bool module = setup.has_pkcs11();
  const bool writes = setup.pkcs11().access().writes_files();
  return {.process_name = "bao-kms-authagt",
          .fixed_descriptors = ipc::kFirstPeerChannel + static_cast<int>(setup.workers()),
          .open_files = module ? kModuleOpenFiles : kOpenFiles,
          .data_bytes = module ? kModuleDataBytes : kDataBytes,
          .file_bytes = writes ? RLIM_INFINITY : 0};
}

Result<std::uint32_t> RestrictModuleFiles(const ipc::AgentSetup& setup) {
  if (!setup.pkcs11().access().writes_files()) {
    return 0U;  // its filter prevents it from changing any file
  }
  return ChangeFilesOnlyBelow(setup.pkcs11().state_directory());
}

Result<ipc::ConfinementReport> EnterFirstFilter(const ipc::AgentSetup& setup) {
  ipc::ConfinementReport report;
  if (setup.has_pkcs11()) {
    BAOKMS_TRY(EnterLoadingSandbox(setup.pkcs11().access()));
    report.set_filter_name(kLoadingFilterName);
  } else {
    BAOKMS_TRY(EnterSandbox());
    report.set_filter_name(kFilterName);
  }
  return report;
}

Narrow NarrowingOf(const ipc::AgentSetup& setup) {
  return [access = setup.pkcs11().access()]() -> Result<std::string> {
    BAOKMS_TRY(EnterModuleSandbox(access));
    return std::string(kModuleFilterName);
  };
}

}  // namespace baokms::authagent
