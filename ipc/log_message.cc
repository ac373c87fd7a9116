#include "ipc/log_message.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "ipc/limits.h"

namespace baokms::ipc {
namespace {

std::string Bounded(std::string_view text, std::size_t longest) {
  std::string result(text.substr(0, longest));
  std::ranges::replace_if(
      result, [](char c) { return c < ' ' || c > '~'; }, '?');
  return result;
}

template <typename Number>
std::string Decimal(Number number) {
  std::array<char, 64> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  return {digits.data(), end.ptr};
}

std::string ToText(const LogValue& value) {
  return std::visit(
      [](const auto& held) -> std::string {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::string>) {
          return Bounded(held, kMaxLogText);
        } else if constexpr (std::is_same_v<Held, bool>) {
          return held ? "true" : "false";
        } else {
          return Decimal(held);
        }
      },
      value);
}

static_assert(static_cast<int>(LogLevel::kDebug) == LogRecord::LEVEL_DEBUG &&
              static_cast<int>(LogLevel::kInfo) == LogRecord::LEVEL_INFO &&
              static_cast<int>(LogLevel::kWarn) == LogRecord::LEVEL_WARN &&
              static_cast<int>(LogLevel::kError) == LogRecord::LEVEL_ERROR);

}  // namespace

LogRecord ToMessage(const baokms::LogRecord& record) {
  LogRecord message;
  message.set_level(static_cast<LogRecord::Level>(record.level));
  message.set_event(Bounded(record.event, kMaxLogName));
  const std::size_t count = std::min(record.fields.size(), kMaxLogFields);
  for (std::size_t i = 0; i < count; ++i) {
    LogField* field = message.add_fields();
    field->set_key(Bounded(record.fields[i].first, kMaxLogName));
    field->set_text(ToText(record.fields[i].second));
  }
  return message;
}

void UpwardLog::Write(const baokms::LogRecord& record) {
  if (Enabled(record.level)) {
    send_(ToMessage(record));
  }
}

}  // namespace baokms::ipc
