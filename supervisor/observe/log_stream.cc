#include "supervisor/observe/log_stream.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>
#include <variant>

namespace baokms::supervisor {
namespace {

std::string LineOf(LogFormat format, const LogRecord& record, const RecordSource& source) {
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  return format == LogFormat::kJson ? RecordToJson(record, source, now)
                                    : RecordToText(record, source, now);
}

// Returns what the record counts as, or "" if its number is up to nobody else.
std::string GroupOf(const LogRecord& record) {
  if (!record.event.starts_with("kms.") || record.level == LogLevel::kDebug) {
    return "";
  }
  const auto found =
      std::ranges::find(record.fields, "error_class", &std::pair<std::string, LogValue>::first);
  const auto* name =
      found == record.fields.end() ? nullptr : std::get_if<std::string>(&found->second);
  return record.event + (name == nullptr ? "" : " " + *name);
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

LogStream::LogStream(LogFormat format, LogLevel level, Journal journal, int descriptor)
    : format_(format),
      level_(level),
      journal_(std::move(journal)),
      writer_(descriptor, NoticeOf(format, pid_)) {
}

bool LogStream::MayPass(RecordRate& rate,
                        std::string_view group,
                        RecordRate::Form form,
                        const RecordSource& source) {
  RecordRate::Decision decision;
  {
    const std::lock_guard lock(mutex_);
    decision = rate.Count(group, form, BootNow());
  }
  if (decision.tell_dropped > 0) {
    LogRecord told = DroppedRecord(decision.tell_dropped, "over_rate");
    if (group != source.process) {
      told.fields.emplace_back("records", std::string(group));
    }
    Put(told, source);
  }
  return decision.pass;
}

std::map<std::string, std::uint64_t> LogStream::Dropped() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::uint64_t> dropped = child_rate_.Dropped();
  std::uint64_t& own = dropped["supervisor"] = writer_.dropped();
  for (const auto& [group, count] : call_rate_.Dropped()) {
    own += count;
  }
  return dropped;
}

// Formatting throws if memory runs out; the record is lost then.
void LogStream::Put(const LogRecord& record, const RecordSource& source) {
  try {
    std::string line = LineOf(format_, record, source);
    if (!journal_.Put(record, source, line)) {
      writer_.Put(std::move(line.append("\n")));
    }
  } catch (const std::exception&) {
    return;
  }
}

void LogStream::Write(const LogRecord& record) {
  if (!Enabled(record.level)) {
    return;
  }
  if (const std::string group = GroupOf(record);
      !group.empty() && !MayPass(call_rate_, group, RecordRate::Form::kGood, Self())) {
    return;
  }
  if (record.correlation.empty() || !Correlates()) {
    Put(record, Self());
    return;
  }
  LogRecord marked = record;
  marked.fields.insert(marked.fields.end(), record.correlation.begin(), record.correlation.end());
  correlation_->Mark(marked);
  Put(marked, Self());
}

void LogStream::Correlate(DebugCorrelation correlation) {
  LogRecord record{.level = LogLevel::kWarn, .event = "debug_correlation.active", .fields = {}};
  correlation.Mark(record);
  correlation_ = std::move(correlation);
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
  if (MayPass(child_rate_, process,
              checked ? RecordRate::Form::kGood : RecordRate::Form::kMalformed, source)) {
    Put(*checked, source);
  }
}

void LogStream::WriteCausedBy(std::string_view process, const LogRecord& record) {
  if (Enabled(record.level) &&
      MayPass(child_rate_, process, RecordRate::Form::kGood, {.process = process, .pid = 0})) {
    Write(record);
  }
}

}  // namespace baokms::supervisor
