#include <unistd.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "common/base/clock.h"
#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/prepare.h"
#include "supervisor/cli/version.h"
#include "supervisor/isolation/describe.h"
#include "supervisor/isolation/observation.h"
#include "supervisor/isolation/process_view.h"
#include "supervisor/isolation/promises.h"
#include "supervisor/isolation/running_provider.h"
#include "supervisor/state_commands/check_report.h"
#include "supervisor/state_commands/rotation_report.h"

namespace baokms::supervisor {
namespace {

// How often --watch looks.
constexpr std::chrono::seconds kWatchInterval{2};

constexpr Flag kWatchFlag{"--watch", "", "Look every two seconds and print what has changed"};

constexpr std::string_view kSubjectId = "isolation.subject";
constexpr std::string_view kSubjectTitle = "What was looked at";

// What a command found out, and why it found out nothing.
struct Findings {
  CheckReport report{.name = "isolation"};
  std::map<std::string, std::string> lasting{};  // by check, instead of its message: for --watch

  // Returns what --watch compares.
  [[nodiscard]] std::map<std::string, std::string> Compared() const {
    std::map<std::string, std::string> compared = lasting;
    for (const Check& check : report.checks) {
      compared.try_emplace(check.id, check.message);
    }
    return compared;
  }

  ExitCode code = ExitCode::kOk;
  std::string failure{};
};

void Judge(pid_t supervisor,
           const std::string& reported,
           const std::string& subject,
           const CommandContext& context,
           const ServeOptions& options,
           Findings& findings) {
  std::optional<ReportedIsolation> isolation = ParseIsolation(reported);
  findings.report.Add(
      isolation ? CheckStatus::kPass : CheckStatus::kWarn, std::string(kSubjectId),
      std::string(kSubjectTitle),
      isolation ? subject
                : subject +
                      "; it does not answer on server.healthAddress, so that only the kernel's "
                      "side is known");
  const auto observation =
      Observe(supervisor, std::move(isolation), options.config, context.load().path);
  if (!observation) {
    findings.report.Add(CheckStatus::kFail, "promise.tree", "The provider runs", "it has ended");
    return;
  }
  AddVerdicts(*observation, findings.report);
  for (const ProcessView& process : observation->processes) {
    findings.lasting["process." + process.name] = DescribeLasting(process, *observation);
  }
}

Findings LookAtRunning(pid_t supervisor,
                       const CommandContext& context,
                       const ServeOptions& options) {
  Findings findings;
  Judge(supervisor, AskForIsolation(options.config.server.health_address),
        "the running provider, process " + std::to_string(supervisor), context, options, findings);
  return findings;
}

Findings LookAtDryStart(const CommandContext& context, const ServeOptions& options) {
  Findings findings;
  const auto failure =
      context.hooks().dry_start(options, [&](pid_t supervisor, const std::string& isolation) {
        Judge(supervisor, isolation, "a dry start, because no provider runs", context, options,
              findings);
      });
  if (failure) {
    const bool config = failure->exit_code == static_cast<int>(ExitCode::kConfig);
    findings.code = config ? ExitCode::kConfig : ExitCode::kCheck;
    findings.failure = failure->line;
  }
  return findings;
}

int Print(const CommandContext& context, const Findings& findings) {
  if (!findings.failure.empty()) {
    return context.Fail(findings.code, findings.failure);
  }
  const std::string text = ToString(findings.report, context.output());
  if (!findings.report.Failed()) {
    return context.Print(text);
  }
  context.Write(text);
  return context.Fail(ExitCode::kCheck, "the isolation falls short of what is promised");
}

// Returns the checks that say something else than in `before`, with the time as their headline.
CheckReport ChangedSince(const Findings& before, const Findings& now) {
  CheckReport changed{.name = UtcText(UnixNow())};
  const auto old = before.Compared();
  const auto current = now.Compared();
  for (const Check& check : now.report.checks) {
    const auto found = old.find(check.id);
    if (found == old.end() || found->second != current.at(check.id)) {
      changed.checks.push_back(check);
    }
  }
  return changed;
}

// Until the provider ends. A reader of JSON gets whole reports.
int Watch(pid_t supervisor, const CommandContext& context, const ServeOptions& options) {
  Findings last;
  while (FindRunningProvider(options.config.state.path) == supervisor) {
    Findings findings = LookAtRunning(supervisor, context, options);
    const CheckReport changed = ChangedSince(last, findings);
    const bool whole = last.report.checks.empty() || context.output() == OutputFormat::kJson;
    if (!changed.checks.empty() &&
        context.Print(ToString(whole ? findings.report : changed, context.output())) != 0) {
      return static_cast<int>(ExitCode::kUnclassified);
    }
    last = std::move(findings);
    std::this_thread::sleep_for(kWatchInterval);
  }
  return context.Fail(ExitCode::kCheck, "the provider has ended");
}

// The files of the configuration may belong to the user of the provider, whoever runs this command.
std::optional<uid_t> UserOf(std::optional<pid_t> provider) {
  const std::optional<ProcessView> view = provider ? ViewProcess(*provider) : std::nullopt;
  return view && !view->uids.empty() ? std::optional(*view->uids.begin()) : std::nullopt;
}

int RunIsolation(const CommandContext& context) {
  const std::optional<pid_t> running =
      FindRunningProvider(LoadConfig(context.load()).document.config.state.path);
  CheckedConfig checked = Prepare(context.load(), HostChecks::kCaBundles, UserOf(running));
  if (!checked.options) {
    return context.FailConfig(checked.problems);
  }
  if (::geteuid() != 0) {
    return context.Fail(ExitCode::kCheck,
                        "run this command as root: nobody else sees the provider's processes");
  }
  checked.options->build = ThisBuild();
  const ServeOptions& options = *checked.options;
  if (!context.IsOn(kWatchFlag.name)) {
    return Print(context, running ? LookAtRunning(*running, context, options)
                                  : LookAtDryStart(context, options));
  }
  return running ? Watch(*running, context, options)
                 : context.Fail(ExitCode::kCheck, "there is no running provider to watch");
}

constexpr Flag kIsolationFlags[] = {kWatchFlag, kOutputFlag};

}  // namespace

constinit const Command kIsolationCommand{
    .name = "isolation",
    .help =
        "Show what the kernel enforces for each process, and judge it against the documentation",
    .flags = kIsolationFlags,
    .run = RunIsolation};

}  // namespace baokms::supervisor
