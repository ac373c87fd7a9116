#include "supervisor/children/start_spawner.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "common/base/error.h"
#include "ipc/channel.h"
#include "supervisor/spawner/launch.h"

namespace baokms::supervisor {
namespace {

Result<UniqueFd> OpenProgram(const std::string& path, Literal when_missing) {
  UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd.valid()) {
    return Error(ErrorCode::kNotFound, when_missing, errno);
  }
  return fd;
}

}  // namespace

Result<UniqueFd> StartSpawner(SpawnerInputs inputs) {
  const std::string directory = BAOKMS_TRY(OwnDirectory());
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.valid()) {
    return Error(ErrorCode::kSystem, "open /dev/null", errno);
  }
  const UniqueFd spawner = BAOKMS_TRY(OpenProgram(
      directory + "bao-kms-spawner", "bao-kms-spawner is not installed beside bao-kms-provider"));
  const UniqueFd worker = BAOKMS_TRY(OpenProgram(
      directory + "bao-kms-worker", "bao-kms-worker is not installed beside bao-kms-provider"));
  const UniqueFd agent =
      BAOKMS_TRY(OpenProgram(directory + "bao-kms-authagent",
                             "bao-kms-authagent is not installed beside bao-kms-provider"));
  ipc::ChannelPair pair = BAOKMS_TRY(ipc::MakeChannelPair());
  LaunchPlan plan;
  plan.name = "bao-kms-spawner";
  plan.program = spawner.get();
  plan.null = null.get();
  plan.descriptors = {pair.second.get(),
                      inputs.spawner_setup.get(),
                      inputs.worker_setup.get(),
                      inputs.agent_setup.get(),
                      worker.get(),
                      agent.get()};
  plan.environment = ChildEnvironment();
  (void)BAOKMS_TRY(Launch(plan));  // its channel says when the spawner ends
  return std::move(pair.first);
}

}  // namespace baokms::supervisor
