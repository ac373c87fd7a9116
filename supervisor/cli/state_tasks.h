// Runs what the flags of a registry command ask for.

#pragma once

#include <optional>
#include <string>

#include "supervisor/cli/state_flags.h"
#include "supervisor/etcd/scan.h"
#include "supervisor/state_commands/command_host.h"
#include "supervisor/state_commands/command_result.h"

namespace baokms::supervisor {

// What a task needs of this host and has to be opened before anything else happens.
struct TaskResources {
  std::optional<EtcdReader> etcd;
  // Why a file that a flag names cannot be used; the task does not run then.
  std::string refusal;
};

TaskResources OpenResources(const StateTask& task);

CommandResult RunStateTask(const StateTask& task,
                           const CommandHost& host,
                           const TaskResources& resources);

}  // namespace baokms::supervisor
