// The flags of the commands around the registry: from text to what the commands are given. Free of
// the library that parses the command line.

#pragma once

#include <optional>
#include <string>
#include <variant>

#include "supervisor/cli/report.h"
#include "supervisor/cli/usage_error.h"
#include "supervisor/etcd/etcd_options.h"
#include "supervisor/state_commands/recovery_commands.h"
#include "supervisor/state_commands/version_commands.h"

namespace baokms::supervisor {

// As typed; a flag that was not given is empty.
struct StateFlags {
  bool apply = false;
  std::optional<std::string> expected_state_hash;
  std::optional<std::string> expected_active_key_id_hash;
  std::optional<std::string> before_version;
  std::optional<std::string> versions;
  std::optional<std::string> output_file;
  std::optional<std::string> input_file;
  std::optional<std::string> scan_etcd;
  std::optional<std::string> cacert;
  std::optional<std::string> cert;
  std::optional<std::string> key;
  std::optional<std::string> prefix;
};

struct RotationPlanTask {};

struct VerifyRotationTask {
  std::optional<EtcdOptions> etcd;
};

struct RecoverTask {
  RecoverOptions options;
  // Where the report goes; empty: standard output.
  std::string report_file;
};

using StateTask = std::variant<RotationPlanTask,
                               VerifyRotationTask,
                               RetireOptions,
                               RestoreOptions,
                               RecoverTask,
                               MigrateOptions,
                               ExportOptions,
                               ImportOptions>;

struct StateCommand {
  StateTask task;
  OutputFormat output;
};

using StateTaskOrError = std::variant<StateTask, UsageError>;

StateTaskOrError ParseVerify(const StateFlags& flags);
StateTaskOrError ParseRetire(const StateFlags& flags);
StateTaskOrError ParseRestore(const StateFlags& flags);
StateTaskOrError ParseRecover(const StateFlags& flags);
StateTaskOrError ParseMigrate(const StateFlags& flags);
StateTaskOrError ParseExport(const StateFlags& flags);
StateTaskOrError ParseImport(const StateFlags& flags);

}  // namespace baokms::supervisor
