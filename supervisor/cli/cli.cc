#include "supervisor/cli/cli.h"

#include <cstdlib>
#include <exception>
#include <optional>
#include <ostream>
#include <string_view>
#include <utility>
#include <variant>

#include "supervisor/cli/command_line.h"
#include "supervisor/cli/completion.h"
#include "supervisor/cli/config_commands.h"
#include "supervisor/cli/exit_code.h"
#include "supervisor/cli/pin_latch_command.h"
#include "supervisor/cli/policy.h"
#include "supervisor/cli/probe.h"
#include "supervisor/cli/report.h"
#include "supervisor/cli/state_tasks.h"
#include "supervisor/cli/version.h"
#include "supervisor/config/json_schema.h"
#include "supervisor/config/reference.h"
#include "supervisor/config/validate.h"
#include "supervisor/state_commands/report_file.h"

namespace baokms::supervisor {
namespace {

// The path of the configuration file and the flags that stand for keys.
LoadOptions LoadOptionsFrom(const GlobalFlags& globals, const Environment& environment) {
  LoadOptions options;
  options.environment = environment;
  for (const EnvironmentRow& row : EnvironmentTable()) {
    if (!row.key.empty()) {
      continue;
    }
    if (auto value = ReadEnvironment(row, environment)) {
      options.path = std::move(value->text);
    }
  }
  options.path = globals.config.value_or(options.path);
  const auto add = [&](const std::optional<std::string>& text, std::string_view flag,
                       std::string_view key) {
    if (text.has_value()) {
      options.flags.push_back({flag, key, *text});
    }
  };
  add(globals.log_level, "--log-level", "logging.level");
  add(globals.metrics_address, "--metrics-address", "server.metricsAddress");
  add(globals.health_address, "--health-address", "server.healthAddress");
  return options;
}

// One call per command.
class Runner {
 public:
  Runner(LoadOptions load, const CliStreams& streams, const CliHooks& hooks)
      : load_(std::move(load)), out_(streams.out), err_(streams.err), hooks_(hooks) {}

  int operator()(const HelpCommand& command) const { return Say(command.text); }

  int operator()(const SchemaCommand& /*command*/) const { return Say(JsonSchema()); }

  int operator()(const ReferenceCommand& /*command*/) const { return Say(ReferenceMarkdown()); }

  int operator()(const CompletionCommand& command) const {
    return Say(CompletionScript(command.shell, DescribeCommands()));
  }

  int operator()(const ShortVersionCommand& /*command*/) const {
    return Say(std::string(kProgramName).append(" version ").append(ThisBuild().version) + "\n");
  }

  int operator()(const VersionCommand& command) const {
    const BuildInfo build = ThisBuild();
    Print(Facts{{"version", build.version},
                {"commit", build.commit},
                {"buildDate", build.build_date},
                {"dirty", build.dirty}},
          command.output, out_);
    return End(ExitCode::kOk);
  }

  int operator()(const ConfigCommand& command) const {
    const LoadResult loaded = LoadConfig(load_);
    if (!loaded.problems.empty()) {
      return Refuse(loaded.problems);
    }
    Print(ConfigFacts(loaded.document.config), command.output, out_);
    for (const Problem& warning : Warnings(loaded.document)) {
      err_ << "warning: " << ToLine(warning) << "\n";
    }
    return End(ExitCode::kOk);
  }

  int operator()(const PolicyCommand& command) const {
    const LoadResult loaded = LoadConfig(load_);
    const auto problems = Validate(loaded.document, loaded.problems);
    if (!problems.empty()) {
      return Refuse(problems);
    }
    const auto policy = OpenBaoPolicy(loaded.document.config, command.renewal, command.output);
    if (!policy.has_value()) {
      err_ << policy.error().what() << "\n";
      return End(ExitCode::kUnclassified);
    }
    return Say(*policy);
  }

  int operator()(const ProbeCommand& command) const {
    const Report report = RunProbe(command.options);
    Print(report, command.output, out_);
    if (report.Failed()) {
      err_ << "the probe of the running provider failed\n";
      return End(ExitCode::kCheck);
    }
    return End(ExitCode::kOk);
  }

  int operator()(const StateCommand& command) const {
    CheckedConfig checked = PrepareInquiry(load_);
    if (!checked.options.has_value()) {
      return Refuse(checked.problems);
    }
    checked.options->build = ThisBuild();
    const CommandHost host{.options = *checked.options, .read_live_key = hooks_.read_live_key};
    const TaskResources resources = OpenResources(command.task);
    if (!resources.refusal.empty()) {
      err_ << resources.refusal << "\n";
      return End(ExitCode::kConfig);
    }
    return PrintResult(command, RunStateTask(command.task, host, resources));
  }

  int operator()(const PinLatchCommand& command) const {
    const LoadResult loaded = LoadConfig(load_);
    const auto problems = Validate(loaded.document, loaded.problems);
    if (!problems.empty()) {
      return Refuse(problems);
    }
    const PinLatchResult result = RunPinLatch(loaded.document.config, command.action);
    Print(result.facts, command.output, out_);
    if (!result.failure.empty()) {
      err_ << "the PIN latch cannot be used: " << result.failure << "\n";
      return End(ExitCode::kCheck);
    }
    return End(ExitCode::kOk);
  }

  int operator()(const ServeCommand& /*command*/) const {
    CheckedConfig checked = PrepareServe(load_);
    if (!checked.options.has_value()) {
      return Refuse(checked.problems);
    }
    checked.options->build = ThisBuild();
    checked.options->reload = [this] {
      return Reload();
    };
    return hooks_.serve(*checked.options);
  }

 private:
  [[nodiscard]] ReloadedOptions Reload() const {
    CheckedConfig checked = PrepareServe(load_);
    if (!checked.options.has_value()) {
      return {.options = nullptr, .refusal = DescribeProblems(checked.problems)};
    }
    return {.options = std::make_shared<const ServeOptions>(std::move(*checked.options)),
            .refusal = {}};
  }

  // Prints also what a failed command has found out.
  [[nodiscard]] int PrintResult(const StateCommand& command, const CommandResult& result) const {
    const std::string text =
        command.output == OutputFormat::kJson ? result.sheet.ToJson() : result.sheet.ToText();
    const auto* recover = std::get_if<RecoverTask>(&command.task);
    if (recover == nullptr || recover->report_file.empty()) {
      out_ << text;
    } else if (const Status written = WriteNewFile(recover->report_file, text); !written) {
      out_ << text;
      err_ << CannotSentence("write --output-file", written.error()) << "\n";
      return End(ExitCode::kUnclassified);
    }
    if (!result.failure.empty()) {
      err_ << result.failure << "\n";
      return End(ExitCode::kCheck);
    }
    return End(ExitCode::kOk);
  }

  int Say(std::string_view text) const {
    out_ << text;
    return End(ExitCode::kOk);
  }

  int Refuse(std::span<const Problem> problems) const {
    err_ << DescribeProblems(problems) << "\n";
    return End(ExitCode::kConfig);
  }

  // A report that nobody could read is no success.
  int End(ExitCode code) const {
    out_.flush();
    if (!out_ && code == ExitCode::kOk) {
      err_ << "standard output cannot be written\n";
      return static_cast<int>(ExitCode::kUnclassified);
    }
    return static_cast<int>(code);
  }

  const LoadOptions load_;
  std::ostream& out_;
  std::ostream& err_;
  const CliHooks& hooks_;
};

}  // namespace

int RunCli(std::span<const std::string> arguments,
           const Environment& environment,
           const CliStreams& streams,
           const CliHooks& hooks) {
  try {
    auto parsed = ParseCommandLine(arguments);
    if (const auto* error = std::get_if<UsageError>(&parsed)) {
      streams.err << error->message << "\n";
      return static_cast<int>(ExitCode::kUsage);
    }
    const CommandLine& line = std::get<CommandLine>(parsed);
    const Runner runner(LoadOptionsFrom(line.globals, environment), streams, hooks);
    return std::visit(runner, line.command);
  } catch (const std::exception&) {
    // What the libraries below throw when memory runs out; their texts may hold anything.
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
