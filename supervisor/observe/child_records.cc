#include "supervisor/observe/child_records.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <system_error>
#include <utility>

namespace baokms::supervisor {
namespace {

// Everything that a child logs (docs/observability.md#logs).
constexpr std::array<std::string_view, 6> kEvents = {"auth.agent_muted", "auth.credential",
                                                     "auth.hsm",         "auth.login",
                                                     "auth.renewal",     "auth.worker_muted"};
constexpr std::array<std::string_view, 5> kTexts = {"login_budget", "operation", "reason", "status",
                                                    "tls_alert"};
// Fields that are numbers; every field arrives as text.
constexpr std::array<std::string_view, 3> kNumbers = {"ends_in_s", "slot", "token_num_uses"};

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

std::optional<LogValue> ReadValue(const ipc::LogField& field) {
  if (IsOneOf(kTexts, field.key())) {
    return Printable(field.text());
  }
  std::int64_t number = 0;
  const char* end = field.text().data() + field.text().size();
  const auto [stopped, error] = std::from_chars(field.text().data(), end, number);
  const bool is_number = error == std::errc() && stopped == end;
  return is_number && IsOneOf(kNumbers, field.key()) ? std::optional<LogValue>(number)
                                                     : std::nullopt;
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
  if (!level || !IsOneOf(kEvents, message.event())) {
    return std::nullopt;
  }
  LogRecord record;
  record.level = *level;
  record.event = message.event();
  for (const ipc::LogField& field : message.fields()) {
    const bool repeated = std::ranges::any_of(
        record.fields, [&field](const auto& earlier) { return earlier.first == field.key(); });
    if (std::optional<LogValue> value = ReadValue(field); value && !repeated) {
      record.fields.emplace_back(field.key(), std::move(*value));
    }
  }
  return record;
}

}  // namespace baokms::supervisor
