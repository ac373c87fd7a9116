#include "supervisor/children/start_spawner.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/base/error.h"
#include "common/base/sanitizer_needs.h"
#include "ipc/channel.h"
#include "supervisor/spawner/launch.h"

namespace baokms::supervisor {

Result<SpawnerProcess> StartSpawner(SpawnerInputs inputs, const HelperPrograms& programs) {
  // Reports of a sanitizer go to the supervisor's log.
  const UniqueFd null(kSanitized ? ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)
                                 : ::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.valid()) {
    return Error(ErrorCode::kSystem, "open /dev/null", errno);
  }
  ipc::ChannelPair pair = BAOKMS_TRY(ipc::MakeChannelPair());
  LaunchPlan plan;
  plan.name = "bao-kms-spawner";
  plan.program = programs.spawner.get();
  plan.null = null.get();
  plan.descriptors = {pair.second.get(),         inputs.spawner_setup.get(),
                      inputs.worker_setup.get(), inputs.agent_setup.get(),
                      programs.worker.get(),     programs.agent.get()};
  plan.environment = ChildEnvironment();
  const pid_t pid = BAOKMS_TRY(Launch(plan));
  return SpawnerProcess{.channel = std::move(pair.first), .pid = pid};
}

}  // namespace baokms::supervisor
