#include "supervisor/serve/serve.h"

#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "supervisor/config/derived.h"
#include "supervisor/observe/debug_correlation.h"
#include "supervisor/observe/journal.h"
#include "supervisor/observe/log_stream.h"
#include "supervisor/serve/bootstrap.h"
#include "supervisor/serve/kms_socket.h"
#include "supervisor/serve/notify.h"
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

// Steps 3 and 4: the lock comes first, so that two concurrent starts cannot unlink each other's
// socket.
std::optional<StartFailure> OpenStateAndSocket(const Config& config, Foundation& base) {
  if (auto failure = TakeOrFail(OpenLockedState(config), base.state)) {
    return failure;
  }
  if (!base.state->pid_written) {
    LogEvent(*base.log, "state.pid_unwritten", "error", LogLevel::kWarn);
  }
  if (auto failure = TakeOrFail("resolve server.socketMode and server.socketGroup",
                                SocketOptionsOf(config), base.socket_options)) {
    return failure;
  }
  Result<KmsSocket> socket = OpenKmsSocket(base.socket_options);
  if (!socket) {
    return ConfigFailure("open the KMS socket", socket.error());
  }
  base.socket = std::move(*socket);
  return std::nullopt;
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
  auto failure = TakeOrFail(Bootstrap(options), base.bootstrap);
  if (!failure) {
    failure = OpenStateAndSocket(options.config, base);
  }
  if (failure) {
    return Refuse(log, *failure);
  }
  Provider provider(options, std::move(base));
  failure = provider.Start();
  if (failure) {
    return Refuse(log, *failure);
  }
  const bool ordered = provider.Run();
  LogEvent(log, "serve.shutdown", ordered ? "ok" : "runtime_failed",
           ordered ? LogLevel::kInfo : LogLevel::kError);
  if (provider.set_up_refused()) {
    return 3;
  }
  return ordered ? 0 : 5;
}

}  // namespace

int RunServe(const ServeOptions& options) {
  const LoggingConfig& logging = options.config.logging;
  const char* stderr_stream = std::getenv("JOURNAL_STREAM");
  auto log = std::make_unique<LogStream>(
      logging.format, logging.level,
      Journal::BehindStderr(stderr_stream == nullptr ? "" : stderr_stream));
  Result<ServiceNotifier> notifier = ServiceNotifier::FromEnvironment();
  if (!notifier) {
    return Refuse(*log, Failure("reach the service manager", notifier.error()));
  }
  if (const DebugCorrelationConfig& debug = logging.debug_correlation; debug.enabled) {
    log->Correlate(DebugCorrelation(
        debug.incident_id, debug.ttl, BootNow(),
        std::chrono::floor<RecordTime::duration>(std::chrono::system_clock::now())));
  }
  return Serve(options, Foundation{.log = std::move(log), .notifier = std::move(*notifier)});
}

}  // namespace baokms::supervisor
