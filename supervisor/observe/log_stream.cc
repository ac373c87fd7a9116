#include "supervisor/observe/log_stream.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "proto/ipc.pb.h"
#include "supervisor/observe/child_records.h"
#include "supervisor/observe/debug_correlation.h"
#include "supervisor/observe/journal.h"
#include "supervisor/observe/log_writer.h"
#include "supervisor/observe/record_text.h"

namespace baokms::supervisor {
namespace {

std::string LineOf(LogFormat format, const LogRecord& record, const RecordSource& source) {
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  return format == LogFormat::kJson ? RecordToJson(record, source, now)
                                    : RecordToText(record, source, now);
}

LogRecord DroppedRecord(std::uint64_t count, std::string_view reason) {
  return {.level = LogLevel::kWarn,
          .event = "log.dropped",
          .fields = {{"count", static_cast<std::int64_t>(count)}, {"reason", std::string(reason)}}};
}

// Owns everything it needs, because the writer's thread may outlive the stream.
LogWriter::DropNotice NoticeOf(LogFormat format, std::int64_t pid) {
  return [format, pid](std::uint64_t count) -> std::string {
    try {
      return LineOf(format, DroppedRecord(count, "output_blocked"),
                    {.process = "supervisor", .pid = pid}) +
             "\n";
    } catch (const std::exception&) {
      return "";
    }
  };
}

}  // namespace

struct LogStream::Impl {
  Impl(LogFormat line_format, LogLevel lowest, Journal to_journal, int descriptor)
      : format(line_format),
        level(lowest),
        journal(std::move(to_journal)),
        writer(descriptor, NoticeOf(line_format, pid)) {}

  const LogFormat format;
  const std::int64_t pid = ::getpid();
  std::atomic<LogLevel> level;
  const Journal journal;
  std::mutex mutex;
  ChildRate rate;  // guarded by mutex
  std::atomic<std::uint64_t> over_rate{0};
  std::optional<DebugCorrelation> correlation;
  LogWriter writer;

  // Returns whether one more line that this process caused may be written; counts and reports lines
  // that may not.
  bool MayPass(const RecordSource& source, ChildRate::Form form) {
    ChildRate::Verdict verdict;
    {
      const std::lock_guard lock(mutex);
      verdict = rate.Count(source.process, form, BootNow());
    }
    if (!verdict.pass) {
      over_rate.fetch_add(1, std::memory_order_relaxed);
    }
    if (verdict.tell_dropped > 0) {
      Put(DroppedRecord(verdict.tell_dropped, "over_rate"), source);
    }
    return verdict.pass;
  }

  // Formatting throws if memory runs out; the record is lost then.
  void Put(const LogRecord& record, const RecordSource& source) {
    try {
      std::string line = LineOf(format, record, source);
      if (!journal.Put(record, source, line)) {
        writer.Put(std::move(line.append("\n")));
      }
    } catch (const std::exception&) {
      return;
    }
  }
};

LogStream::LogStream(LogFormat format, LogLevel level, Journal journal, int descriptor)
    : impl_(std::make_unique<Impl>(format, level, std::move(journal), descriptor)) {
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
  return level >= impl_->level.load(std::memory_order_relaxed);
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
  if (impl_->MayPass(source, checked ? ChildRate::Form::kGood : ChildRate::Form::kMalformed)) {
    impl_->Put(*checked, source);
  }
}

void LogStream::WriteCausedBy(std::string_view process, const LogRecord& record) {
  if (Enabled(record.level) &&
      impl_->MayPass({.process = process, .pid = 0}, ChildRate::Form::kGood)) {
    Write(record);
  }
}

void LogStream::SetLevel(LogLevel level) {
  impl_->level.store(level, std::memory_order_relaxed);
}

Status LogStream::StartThread() {
  return impl_->writer.StartThread();
}

void LogStream::WriteLine(std::string_view line) {
  impl_->writer.Put(std::string(line) + "\n");
}

void LogStream::Flush(BootTime patience) {
  impl_->writer.Flush(patience);
}

std::uint64_t LogStream::dropped() const {
  return impl_->writer.dropped() + impl_->over_rate.load(std::memory_order_relaxed);
}

}  // namespace baokms::supervisor
