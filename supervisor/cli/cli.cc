#include "supervisor/cli/cli.h"

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <optional>
#include <ostream>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include "supervisor/cli/command_line.h"
#include "supervisor/cli/complete.h"
#include "supervisor/config/validate.h"

namespace baokms::supervisor {
namespace {

// A relative path is resolved once, so that a reload of `serve` reads the same file.
std::string AbsolutePath(const std::string& path) {
  std::error_code failed;
  const std::filesystem::path absolute = std::filesystem::absolute(path, failed);
  return path.empty() || failed ? path : absolute.string();
}

// The path of the configuration file and the flags that override keys.
LoadOptions LoadOptionsFrom(const FlagValues& values, const Environment& environment) {
  LoadOptions options;
  options.environment = environment;
  if (auto value = ReadEnvironment(kConfigPath, environment)) {
    options.path = std::move(value->text);
  }
  const auto add = [&](std::string_view flag, std::string_view key) {
    if (const auto found = values.find(flag); found != values.end()) {
      options.flags.push_back({flag, key, found->second});
    }
  };
  add("--log-level", "logging.level");
  add("--metrics-address", "server.metricsAddress");
  add("--health-address", "server.healthAddress");
  if (const auto path = values.find("--config"); path != values.end()) {
    options.path = path->second;
  }
  options.path = AbsolutePath(options.path);
  return options;
}

int Run(std::span<const std::string> arguments,
        const Environment& environment,
        const CliStreams& streams,
        const CliHooks& hooks) {
  if (!arguments.empty() && arguments.front() == kCompleteCommand) {
    return CommandContext({}, streams, hooks).Print(Complete(arguments.subspan(1)));
  }
  auto parsed = ParseCommandLine(arguments);
  if (const auto* error = std::get_if<UsageError>(&parsed)) {
    return CommandContext({}, streams, hooks).FailUsage(error->message);
  }
  CommandLine& line = std::get<CommandLine>(parsed);
  LoadOptions load = LoadOptionsFrom(line.values, environment);
  const CommandContext context({.values = std::move(line.values),
                                .words = std::move(line.words),
                                .output = line.output,
                                .load = std::move(load)},
                               streams, hooks);
  return line.command == nullptr ? context.Print(line.text) : line.command->run(context);
}

}  // namespace

int RunCli(std::span<const std::string> arguments,
           const Environment& environment,
           const CliStreams& streams,
           const CliHooks& hooks) {
  try {
    return Run(arguments, environment, streams, hooks);
  } catch (const std::exception&) {
    // An exception of a library, for example because memory ran out; its text may repeat anything.
    streams.err << "unexpected failure\n";
    return static_cast<int>(ExitCode::kUnclassified);
  }
}

Environment ProcessEnvironment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

}  // namespace baokms::supervisor
