// The whole command line: arguments in, text and an exit code out. The functions that start
// processes are passed in, so that this folder does not depend on them.

#pragma once

#include <sys/types.h>

#include <functional>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>

#include "supervisor/config/load.h"
#include "supervisor/config/serve_options.h"
#include "supervisor/state_commands/live_key.h"

namespace baokms::supervisor {

// The exit codes that scripts rely on.
enum class ExitCode : int {
  kOk = 0,
  kUnclassified = 1,
  kUsage = 2,
  kConfig = 3,  // loading or validation, including values given through flags
  kCheck = 4,   // a diagnostic check failed
  // 5, the provider failed after validation, is an exit code of CliHooks::serve.
};

struct DryStartFailure {
  int exit_code = 0;
  std::string line;  // for the operator
};

struct CliHooks {
  // Runs the provider until it ends and returns the exit code.
  std::function<int(const ServeOptions&)> serve;
  // Writes why the configuration keeps the provider from starting to standard error, without
  // waiting long for its reader.
  std::function<void(const std::string& problems)> refuse;
  // Returns why the programs that `serve` starts could not be used by a provider that runs as
  // `own_user`; empty if they could.
  std::function<std::string(uid_t own_user)> check_programs;
  // Reads the key's metadata from OpenBao, with processes of its own.
  ReadLiveKey read_live_key;
  // Starts the processes of a provider without state, clients or OpenBao, calls `inspect` with the
  // process id of their supervisor and its report (the member `isolation` of /ready, as JSON), and
  // ends them. Returns why they did not start.
  std::function<std::optional<DryStartFailure>(
      const ServeOptions&,
      const std::function<void(pid_t supervisor, const std::string& isolation)>& inspect)>
      dry_start;
};

// Reports are written to `out`, one plain line per error to `err`.
struct CliStreams {
  std::ostream& out;
  std::ostream& err;
};

// `arguments` are those after the program's name. Returns the process's exit code. Lets no
// exception escape.
int RunCli(std::span<const std::string> arguments,
           const Environment& environment,
           const CliStreams& streams,
           const CliHooks& hooks);

// Returns the environment of this process.
Environment ProcessEnvironment();

}  // namespace baokms::supervisor
