#include "supervisor/serve/serve.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "supervisor/config/changeable_files.h"
#include "supervisor/config/derived.h"
#include "supervisor/observe/debug_correlation.h"
#include "supervisor/observe/journal.h"
#include "supervisor/observe/log_stream.h"
#include "supervisor/observe/log_writer.h"
#include "supervisor/serve/bootstrap.h"
#include "supervisor/serve/kms_socket.h"
#include "supervisor/serve/notify.h"
#include "supervisor/serve/own_landlock.h"
#include "supervisor/serve/provider.h"
#include "supervisor/serve/start_failure.h"
#include "supervisor/serve/state.h"

namespace baokms::supervisor {
namespace {

void LogEvent(LogSink& log, std::string_view event, std::string_view status, LogLevel level) {
  log.Write({.level = level,
             .event = std::string(event),
             .fields = {{"operation", std::string(event)}, {"status", std::string(status)}}});
}

void LogIsolation(LogSink& log, const IsolationFacts& facts) {
  LogRecord record{.level = LogLevel::kInfo,
                   .event = "isolation.level",
                   .fields = {{"operation", "isolation.level"}, {"status", ToText(facts.level)}}};
  record.fields.emplace_back("landlock_abi", std::int64_t{facts.landlock.abi});
  record.fields.emplace_back("credential_readable", facts.credential_readable);
  if (facts.level == IsolationLevel::kSingleUser) {
    record.fields.emplace_back("reason", facts.why_single);
  }
  log.Write(record);
}

// Steps 1 to 4. The lock comes before the socket, so that two concurrent starts cannot unlink each
// other's.
Started<> Open(const ServeOptions& options, Foundation& base) {
  base.bootstrap = BAOKMS_TRY(Bootstrap(options));
  if (base.bootstrap.isolation.helpers_readable) {
    LogEvent(*base.log, "isolation.helpers", "readable", LogLevel::kWarn);
  }
  for (const std::string_view key :
       ChangeableFiles(options.config, options.config_path, {::geteuid()})) {
    base.bootstrap.isolation.files_changeable = true;
    base.log->Write({.level = LogLevel::kWarn,
                     .event = "isolation.files",
                     .fields = {{"key", std::string(key)}, {"status", "changeable"}}});
  }
  base.state = BAOKMS_TRY(OpenLockedState(options.config));
  if (!base.state->pid_written) {
    LogEvent(*base.log, "state.pid_unwritten", "error", LogLevel::kWarn);
  }
  base.socket_options = BAOKMS_TRY(
      Step("resolve server.socketMode and server.socketGroup", SocketOptionsOf(options.config)));
  base.socket = BAOKMS_TRY(
      Step("open the KMS socket", OpenKmsSocket(base.socket_options), kConfigurationFailed));
  IsolationFacts& isolation = base.bootstrap.isolation;
  isolation.landlock = BAOKMS_TRY(ConfineSupervisor(
      options.config.isolation.landlock,
      RulesOfSupervisor(options, base.bootstrap.endpoints, base.socket.origin, isolation.level)));
  isolation.credential_readable = CanReadCredential(options.config);
  LogIsolation(*base.log, isolation);
  return {};
}

int Refuse(LogStream& log, const StartFailure& failure) {
  log.WriteLine(failure.line);
  LogEvent(log, "serve.shutdown", "startup_failed", LogLevel::kError);
  return failure.exit_code;
}

int Serve(const ServeOptions& options, Foundation base) {
  LogStream& log = *base.log;
  LogEvent(log, "serve.start", "ok", LogLevel::kInfo);
  for (const Problem& warning : options.warnings) {
    log.Write({.level = LogLevel::kWarn,
               .event = "config.warning",
               .fields = {{"key", warning.key}, {"reason", warning.message}}});
  }
  if (const Started<> opened = Open(options, base); !opened) {
    return Refuse(log, opened.error());
  }
  Provider provider(options, std::move(base));
  if (const Started<> started = provider.Start(); !started) {
    return Refuse(log, started.error());
  }
  const bool ordered = provider.Run();
  LogEvent(log, "serve.shutdown", ordered ? "ok" : "runtime_failed",
           ordered ? LogLevel::kInfo : LogLevel::kError);
  if (provider.set_up_refused()) {
    return kConfigurationFailed;
  }
  return ordered ? 0 : kRuntimeFailed;
}

}  // namespace

void RefuseServe(const std::string& problems) {
  LogWriter(STDERR_FILENO, {}).Put(problems + "\n");
}

int RunServe(const ServeOptions& options) {
  const LoggingConfig& logging = options.config.logging;
  const char* stderr_stream = std::getenv("JOURNAL_STREAM");
  auto log = std::make_unique<LogStream>(
      logging.format, logging.level,
      Journal::BehindStderr(stderr_stream == nullptr ? "" : stderr_stream));
  auto notifier = Step("reach the service manager", ServiceNotifier::FromEnvironment());
  if (!notifier) {
    return Refuse(*log, notifier.error());
  }
  if (const DebugCorrelationConfig& debug = logging.debug_correlation; debug.enabled) {
    log->Correlate(DebugCorrelation(
        debug.incident_id, debug.ttl, BootNow(),
        std::chrono::floor<RecordTime::duration>(std::chrono::system_clock::now())));
  }
  return Serve(options, Foundation{.log = std::move(log), .notifier = std::move(notifier).value()});
}

}  // namespace baokms::supervisor
