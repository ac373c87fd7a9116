#include "supervisor/observe/log_stream.h"

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <unistd.h>

#include <utility>

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "proto/ipc.pb.h"
#include "supervisor/observe/child_records.h"
#include "supervisor/observe/debug_correlation.h"
#include "supervisor/observe/journal.h"
#include "supervisor/observe/record_text.h"

namespace baokms::supervisor {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

// The whole line is ours. A line that cannot be written is lost; there is nowhere to say so.
std::shared_ptr<spdlog::logger> MakeLogger(LogLevel level) {
  try {
    auto logger = std::make_shared<spdlog::logger>(
        "baokms", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%v");
    logger->set_level(ToSpdlog(level));
    logger->flush_on(spdlog::level::debug);
    logger->set_error_handler([](const std::string& /*text*/) {});
    return logger;
  } catch (const std::exception&) {
    return nullptr;
  }
}

}  // namespace

struct LogStream::Impl {
  LogFormat format;
  std::int64_t pid;
  std::shared_ptr<spdlog::logger> logger;
  Journal journal;
  std::mutex mutex;
  ChildRate rate;  // guarded by mutex
  std::optional<DebugCorrelation> correlation;

  // Formatting throws when memory runs out; the record is lost then.
  void Put(const LogRecord& record, const RecordSource& source) const {
    try {
      const auto now =
          std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
      const std::string line = format == LogFormat::kJson ? RecordToJson(record, source, now)
                                                          : RecordToText(record, source, now);
      if (!journal.Put(record, source, line)) {
        logger->log(ToSpdlog(record.level), spdlog::string_view_t(line));
      }
    } catch (const std::exception&) {
      return;
    }
  }

  void PutDropped(const RecordSource& source, std::uint64_t count) const {
    Put({LogLevel::kWarn, "log.dropped", {{"count", static_cast<std::int64_t>(count)}}}, source);
  }
};

Result<std::unique_ptr<LogStream>> LogStream::Create(LogFormat format,
                                                     LogLevel level,
                                                     Journal journal) {
  std::shared_ptr<spdlog::logger> logger = MakeLogger(level);
  if (logger == nullptr) {
    return Error(ErrorCode::kInternal, "log stream cannot be set up");
  }
  auto impl = std::make_unique<Impl>();
  impl->format = format;
  impl->pid = ::getpid();
  impl->logger = std::move(logger);
  impl->journal = std::move(journal);
  return std::unique_ptr<LogStream>(new LogStream(std::move(impl)));
}

LogStream::LogStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
}

LogStream::~LogStream() = default;

void LogStream::Write(const LogRecord& record) {
  if (!Enabled(record.level)) {
    return;
  }
  const RecordSource self{.process = "supervisor", .pid = impl_->pid};
  if (record.correlation.empty() || !Correlates()) {
    impl_->Put(record, self);
    return;
  }
  LogRecord marked = record;
  marked.fields.insert(marked.fields.end(), record.correlation.begin(), record.correlation.end());
  impl_->correlation->Mark(marked);
  impl_->Put(marked, self);
}

bool LogStream::Enabled(LogLevel level) const {
  return impl_->logger->should_log(ToSpdlog(level));
}

bool LogStream::Correlates() const {
  return impl_->correlation && impl_->correlation->Active(BootNow());
}

void LogStream::Correlate(DebugCorrelation correlation) {
  LogRecord record{.level = LogLevel::kWarn, .event = "debug_correlation.active", .fields = {}};
  correlation.Mark(record);
  impl_->correlation = std::move(correlation);
  Write(record);
}

void LogStream::WriteChild(std::string_view process,
                           std::int64_t pid,
                           const ipc::LogRecord& record) {
  const RecordSource source{.process = process, .pid = pid};
  const std::optional<LogRecord> checked = ReadChildRecord(record);
  if (checked && !Enabled(checked->level)) {
    return;
  }
  ChildRate::Verdict verdict;
  {
    const std::lock_guard lock(impl_->mutex);
    verdict = impl_->rate.Count(
        process, checked ? ChildRate::Form::kGood : ChildRate::Form::kMalformed, BootNow());
  }
  if (verdict.pass) {
    impl_->Put(*checked, source);
  }
  if (verdict.tell_dropped > 0) {
    impl_->PutDropped(source, verdict.tell_dropped);
  }
}

void LogStream::WriteCausedBy(std::string_view process, const LogRecord& record) {
  if (!Enabled(record.level)) {
    return;
  }
  ChildRate::Verdict verdict;
  {
    const std::lock_guard lock(impl_->mutex);
    verdict = impl_->rate.Count(process, ChildRate::Form::kGood, BootNow());
  }
  if (verdict.pass) {
    Write(record);
  }
  if (verdict.tell_dropped > 0) {
    impl_->PutDropped({.process = process, .pid = 0}, verdict.tell_dropped);
  }
}

void LogStream::SetLevel(LogLevel level) {
  impl_->logger->set_level(ToSpdlog(level));
}

}  // namespace baokms::supervisor
