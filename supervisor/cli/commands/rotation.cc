#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/setup/url.h"
#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/commands/state_command.h"
#include "supervisor/cli/prepare.h"
#include "supervisor/etcd/start_scan.h"
#include "supervisor/state_commands/rotation_commands.h"

namespace baokms::supervisor {
namespace {

int PrintRotationPlan(const CommandContext& context) {
  return RunStateCommand(context, RunRotationPlan);
}

constexpr Flag kRotationPlanFlags[] = {kOutputFlag};

constexpr Flag kScanFlag{"--scan-etcd", "ENDPOINT",
                         "Count the objects in this etcd (https://HOST:PORT) by provider and key"};
constexpr Flag kCaFlag{"--cacert", kPathValue,
                       "CA bundle used to verify etcd's server certificate"};
constexpr Flag kCertificateFlag{"--cert", kPathValue, "Client certificate for etcd"};
constexpr Flag kKeyFlag{"--key", kPathValue, "Private key of --cert"};
constexpr Flag kPrefixFlag{"--prefix", "PREFIX", "Keys to read in etcd (default /registry/)"};

constexpr std::string_view kPlainScheme = "http://";

// On the loopback interface, only a process that could also read etcd's files can intercept
// traffic.
bool IsLoopback(std::string_view host) {
  return host == "127.0.0.1" || host == "::1";
}

// Parses "https://host:port", or "http://127.0.0.1:port" for an etcd without TLS on this host.
std::optional<EtcdOptions> ParseEndpoint(const std::string& text) {
  const bool plain = text.starts_with(kPlainScheme);
  const auto address = setup::ParseHttpsAddress(
      plain ? std::string("https://").append(text.substr(kPlainScheme.size())) : text);
  if (!address || !address->prefix.empty() || (plain && !IsLoopback(address->host))) {
    return std::nullopt;
  }
  EtcdOptions options;
  options.host = address->host;
  options.port = address->port;
  options.transport = plain ? EtcdOptions::Transport::kPlain : EtcdOptions::Transport::kTls;
  return options;
}

// Returns whether one of the flags for TLS was given.
bool GivesTlsFiles(const CommandContext& context) {
  return context.Value(kCaFlag.name) || context.Value(kCertificateFlag.name) ||
         context.Value(kKeyFlag.name);
}

// Returns why the flags related to --scan-etcd cannot be combined, or nothing.
std::string_view FindEtcdFlagProblem(const CommandContext& context, const EtcdOptions& options) {
  if (options.transport == EtcdOptions::Transport::kPlain) {
    return GivesTlsFiles(context) ? "--cacert, --cert and --key require an https endpoint" : "";
  }
  if (options.ca_file.empty()) {
    return "--scan-etcd requires --cacert";
  }
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return "--cert and --key must be given together";
  }
  return options.prefix.empty() ? "--prefix must not be empty" : "";
}

int RunScan(const CommandContext& context, EtcdOptions options) {
  options.ca_file = context.ValueOrEmpty(kCaFlag.name);
  options.certificate_file = context.ValueOrEmpty(kCertificateFlag.name);
  options.key_file = context.ValueOrEmpty(kKeyFlag.name);
  options.prefix = context.Value(kPrefixFlag.name).value_or(options.prefix);
  if (const std::string_view problem = FindEtcdFlagProblem(context, options); !problem.empty()) {
    return context.FailUsage(problem);
  }
  const CheckedConfig checked = Prepare(context.load(), HostChecks::kCaBundles);
  if (!checked.options) {
    return context.FailConfig(checked.problems);
  }
  // Must run before the live query, which drops privileges and forbids this process to start
  // another one.
  const EtcdScanResult scanned = RunEtcdScan(options, EtcdScanProgram());
  const auto* failure = std::get_if<EtcdScanFailure>(&scanned);
  if (failure != nullptr && failure->kind == EtcdScanFailure::Kind::kFile) {
    return context.Fail(ExitCode::kConfig, failure->text);
  }
  return RunStateCommand(
      context, [&scanned](const CommandHost& host) { return RunVerifyRotation(host, &scanned); });
}

int ExecuteVerifyRotation(const CommandContext& context) {
  const std::optional<std::string> endpoint = context.Value(kScanFlag.name);
  if (!endpoint) {
    if (GivesTlsFiles(context) || context.Value(kPrefixFlag.name)) {
      return context.FailUsage("--cacert, --cert, --key and --prefix require --scan-etcd");
    }
    return RunStateCommand(
        context, [](const CommandHost& host) { return RunVerifyRotation(host, nullptr); });
  }
  auto options = ParseEndpoint(*endpoint);
  if (!options) {
    return context.FailUsage(
        "--scan-etcd must be https://HOST:PORT, or http:// with a loopback address");
  }
  return RunScan(context, *std::move(options));
}

constexpr Flag kVerifyRotationFlags[] = {kScanFlag, kCaFlag,     kCertificateFlag,
                                         kKeyFlag,  kPrefixFlag, kOutputFlag};

}  // namespace

constinit const Command kRotationPlanCommand{
    .name = "rotation-plan",
    .help = "Show how far this node is in a rotation of the Transit key",
    .flags = kRotationPlanFlags,
    .run = PrintRotationPlan};

constinit const Command kVerifyRotationCommand{
    .name = "verify-rotation",
    .help =
        "Verify a completed rotation; with --scan-etcd, check whether old key versions can be "
        "retired",
    .flags = kVerifyRotationFlags,
    .run = ExecuteVerifyRotation};

}  // namespace baokms::supervisor
