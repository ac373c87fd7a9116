// Commands that restore or move a registry: recover-state, migrate-state, export-state,
// import-state (docs/disaster-recovery.md). Each shows a plan first, and writes only the plan whose
// hash was reviewed.

#pragma once

#include <string>

#include "supervisor/state_commands/command_host.h"
#include "supervisor/state_commands/command_report.h"

namespace baokms::supervisor {

struct RecoverOptions {
  // H() of the key_id that must become active; empty: not checked.
  std::string expected_active_key_id_hash;
  ReviewedHash reviewed{};  // nextStateHash of the plan
};

// Rebuilds the registry from live metadata if the state file is lost. A remaining checkpoint is
// followed, so that the chain continues.
CommandResult RunRecoverState(const CommandHost& host, const RecoverOptions& options);

struct MigrateOptions {
  ReviewedHash reviewed{};  // nextStateHash of the plan
};

// Migrates a state file of schema v1alpha1. Does nothing if the file has the current schema.
CommandResult RunMigrateState(const CommandHost& host, const MigrateOptions& options);

struct ExportOptions {
  std::string output_file;  // must not exist
};

// Writes this node's registry, checked and with its exact bytes, to one file. Does not need
// OpenBao.
CommandResult RunExportState(const CommandHost& host, const ExportOptions& options);

struct ImportOptions {
  std::string input_file;
  ReviewedHash reviewed{};  // nextStateHash of the plan: the peer's own state hash
};

// Installs the exported registry of a peer on this node, if the node has no usable registry.
CommandResult RunImportState(const CommandHost& host, const ImportOptions& options);

}  // namespace baokms::supervisor
