#include "supervisor/cli/state_tasks.h"

#include <utility>
#include <variant>

#include "supervisor/state_commands/rotation_commands.h"

namespace baokms::supervisor {
namespace {

struct Runner {
  CommandResult operator()(const RotationPlanTask& /*task*/) const { return RunRotationPlan(host); }

  CommandResult operator()(const VerifyRotationTask& /*task*/) const {
    return RunVerifyRotation(host, resources.etcd.has_value() ? &*resources.etcd : nullptr);
  }

  CommandResult operator()(const RetireOptions& options) const {
    return RunRetireVersions(host, options);
  }

  CommandResult operator()(const RestoreOptions& options) const {
    return RunRestoreVersions(host, options);
  }

  CommandResult operator()(const RecoverTask& task) const {
    return RunRecoverState(host, task.options);
  }

  CommandResult operator()(const MigrateOptions& options) const {
    return RunMigrateState(host, options);
  }

  CommandResult operator()(const ExportOptions& options) const {
    return RunExportState(host, options);
  }

  CommandResult operator()(const ImportOptions& options) const {
    return RunImportState(host, options);
  }

  const CommandHost& host;
  const TaskResources& resources;
};

}  // namespace

TaskResources OpenResources(const StateTask& task) {
  TaskResources resources;
  const auto* verify = std::get_if<VerifyRotationTask>(&task);
  if (verify == nullptr || !verify->etcd.has_value()) {
    return resources;
  }
  auto reader = EtcdReader::Prepare(*verify->etcd);
  if (auto* problem = std::get_if<std::string>(&reader)) {
    resources.refusal = std::move(*problem);
  } else {
    resources.etcd = std::get<EtcdReader>(std::move(reader));
  }
  return resources;
}

CommandResult RunStateTask(const StateTask& task,
                           const CommandHost& host,
                           const TaskResources& resources) {
  return std::visit(Runner{host, resources}, task);
}

}  // namespace baokms::supervisor
