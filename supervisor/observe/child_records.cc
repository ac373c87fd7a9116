#include "supervisor/observe/child_records.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <system_error>
#include <utility>

namespace baokms::supervisor {
namespace {

// Members that the log stream writes itself.
constexpr std::array<std::string_view, 5> kReserved = {"ts", "level", "message", "process", "pid"};

// Fields that are numbers; every field arrives as text.
constexpr std::array<std::string_view, 4> kWholeNumbers = {"ends_in_s", "slot", "token_num_uses",
                                                           "transit_key_version"};
constexpr std::array<std::string_view, 1> kFloats = {"duration_ms"};

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= ipc::kMaxLogName && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

template <typename Names>
bool IsOneOf(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::string Printable(std::string_view text) {
  std::string result(text.substr(0, ipc::kMaxLogText));
  std::ranges::replace_if(
      result, [](char c) { return c < ' ' || c > '~'; }, '?');
  return result;
}

template <typename Number>
std::optional<Number> ReadNumber(std::string_view text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stopped == end ? std::optional<Number>(number) : std::nullopt;
}

LogValue ReadValue(std::string_view key, std::string_view text) {
  if (IsOneOf(kWholeNumbers, key)) {
    if (const auto number = ReadNumber<std::int64_t>(text)) {
      return *number;
    }
  }
  if (IsOneOf(kFloats, key)) {
    if (const auto number = ReadNumber<double>(text)) {
      return *number;
    }
  }
  return Printable(text);
}

std::optional<LogLevel> ReadLevel(ipc::LogRecord::Level level) {
  switch (level) {
    case ipc::LogRecord::LEVEL_DEBUG:
      return LogLevel::kDebug;
    case ipc::LogRecord::LEVEL_INFO:
      return LogLevel::kInfo;
    case ipc::LogRecord::LEVEL_WARN:
      return LogLevel::kWarn;
    case ipc::LogRecord::LEVEL_ERROR:
      return LogLevel::kError;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<LogRecord> ReadChildRecord(const ipc::LogRecord& message) {
  const std::optional<LogLevel> level = ReadLevel(message.level());
  if (!level || !IsName(message.event())) {
    return std::nullopt;
  }
  LogRecord record;
  record.level = *level;
  record.event = message.event();
  for (const ipc::LogField& field : message.fields()) {
    if (record.fields.size() == ipc::kMaxLogFields) {
      break;
    }
    if (IsName(field.key()) && !IsOneOf(kReserved, field.key())) {
      record.fields.emplace_back(field.key(), ReadValue(field.key(), field.text()));
    }
  }
  return record;
}

ChildRate::Decision ChildRate::Count(std::string_view process, Form form, BootTime now) {
  auto found = buckets_.find(process);
  if (found == buckets_.end()) {
    found = buckets_.emplace(std::string(process), Bucket{}).first;
  }
  Bucket& bucket = found->second;
  Decision decision{.pass = form == Form::kGood && bucket.rate.Take(now)};
  bucket.dropped += decision.pass ? 0 : 1;
  if (bucket.dropped > 0 && now - bucket.told_at >= std::chrono::seconds(1)) {
    decision.tell_dropped = std::exchange(bucket.dropped, 0);
    bucket.told_at = now;
  }
  return decision;
}

}  // namespace baokms::supervisor
