#include "supervisor/cli/state_tasks.h"

#include <variant>

#include "supervisor/state_commands/rotation_commands.h"

namespace baokms::supervisor {
namespace {

struct Runner {
  CommandResult operator()(const RotationPlanTask& /*task*/) const { return RunRotationPlan(host); }

  CommandResult operator()(const VerifyRotationTask& /*task*/) const {
    return RunVerifyRotation(host);
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
};

}  // namespace

CommandResult RunStateTask(const StateTask& task, const CommandHost& host) {
  return std::visit(Runner{host}, task);
}

}  // namespace baokms::supervisor
