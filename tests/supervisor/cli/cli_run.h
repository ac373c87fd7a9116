// Runs the command line in this process, with everything around it made up: no process is started,
// and OpenBao is what the test says.

#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "supervisor/cli/cli.h"

namespace baokms::supervisor {

struct CliOutcome {
  int code;
  std::string out;
  std::string err;
  // What `serve` was started with, if it was.
  std::optional<ServeOptions> served;
};

using FakeVariables = std::map<std::string, std::string, std::less<>>;

// `live` answers for OpenBao; `programs` is what is wrong with the programs that `serve` starts.
inline CliOutcome InvokeOn(const LiveKey& live,
                           const FakeVariables& variables,
                           std::vector<std::string> arguments,
                           const std::string& programs = "") {
  std::ostringstream out;
  std::ostringstream err;
  std::optional<ServeOptions> served;
  const Environment environment = [&](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  const CliHooks hooks{.serve =
                           [&](const ServeOptions& options) {
                             served = options;
                             return 5;
                           },
                       .refuse = [&](const std::string& problems) { err << problems << "\n"; },
                       .check_programs = [&](uid_t /*own_user*/) { return programs; },
                       .read_live_key = [&](const ServeOptions& /*options*/) { return live; },
                       .dry_start =
                           [](const ServeOptions& /*options*/, const auto& /*inspect*/) {
                             return DryStartFailure{.exit_code = 5, .line = "not started"};
                           }};
  const int code = RunCli(arguments, environment, {out, err}, hooks);
  return {code, out.str(), err.str(), std::move(served)};
}

inline CliOutcome InvokeWith(const FakeVariables& variables, std::vector<std::string> arguments) {
  return InvokeOn({.metadata = {}, .failure = "not asked"}, variables, std::move(arguments));
}

inline CliOutcome Invoke(std::vector<std::string> arguments) {
  return InvokeWith({}, std::move(arguments));
}

}  // namespace baokms::supervisor
