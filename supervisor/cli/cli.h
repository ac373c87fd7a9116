// The whole command line: arguments in, text and an exit code out. What starts processes is
// handed in, so that this folder does not depend on it.

#pragma once

#include <functional>
#include <iosfwd>
#include <span>
#include <string>

#include "supervisor/config/load.h"
#include "supervisor/config/serve_options.h"
#include "supervisor/state_commands/live_key.h"

namespace baokms::supervisor {

struct CliHooks {
  // Runs the provider until it ends and answers with the exit code.
  std::function<int(const ServeOptions&)> serve;
  // Asks OpenBao what it says about the key, through processes of its own.
  ReadLiveKey read_live_key;
};

// Reports go to `out`, one plain line per error to `err`.
struct CliStreams {
  std::ostream& out;
  std::ostream& err;
};

// `arguments` are those after the program's name. Answers with the process's exit code. No
// exception leaves it.
int RunCli(std::span<const std::string> arguments,
           const Environment& environment,
           const CliStreams& streams,
           const CliHooks& hooks);

// The environment of this process.
Environment ProcessEnvironment();

}  // namespace baokms::supervisor
