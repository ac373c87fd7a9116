// What brings a registry back or moves it: recover-state, migrate-state, export-state, import-state
// (docs/disaster-recovery.md). Each shows a plan first, and writes only the plan whose
// hash was reviewed.

#pragma once

#include <string>

#include "supervisor/state_commands/command_host.h"
#include "supervisor/state_commands/command_result.h"

namespace baokms::supervisor {

struct RecoverOptions {
  // H() of the key_id that has to become active; empty: not checked.
  std::string expected_active_key_id_hash;
  ReviewedHash reviewed{};  // nextStateHash of the plan
};

// Rebuilds the registry from live metadata when the state file is lost. A checkpoint that is still
// there is followed, so that the chain goes on.
CommandResult RunRecoverState(const CommandHost& host, const RecoverOptions& options);

struct MigrateOptions {
  ReviewedHash reviewed{};  // nextStateHash of the plan
};

// Carries a state file of schema v1alpha1 over. Does nothing for one that is of the current schema.
CommandResult RunMigrateState(const CommandHost& host, const MigrateOptions& options);

struct ExportOptions {
  std::string output_file;  // must not exist
};

// Writes this node's registry, checked and in its exact bytes, into one file. Needs no OpenBao.
CommandResult RunExportState(const CommandHost& host, const ExportOptions& options);

struct ImportOptions {
  std::string input_file;
  ReviewedHash reviewed{};  // nextStateHash of the plan: the peer's own state hash
};

// Makes the exported registry of a peer this node's, when this node has none that may be used.
CommandResult RunImportState(const CommandHost& host, const ImportOptions& options);

}  // namespace baokms::supervisor
