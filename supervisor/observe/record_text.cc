#include "supervisor/observe/record_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <type_traits>
#include <utility>
#include <variant>

#include <nlohmann/json.hpp>

namespace baokms::supervisor {
namespace {

using Json = nlohmann::ordered_json;

// Durations are in milliseconds, so three decimal places are microseconds.
double Rounded(double value) {
  return std::round(value * 1000.0) / 1000.0;
}

Json ToJson(const LogValue& value) {
  return std::visit(
      [](const auto& held) -> Json {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, double>) {
          return Rounded(held);
        } else {
          return held;
        }
      },
      value);
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Writes the record's members in order. A list without duplicate checks: most readers use the first
// member of a name, and the stream's own members come first.
template <typename Put>
void ForEachMember(const LogRecord& record,
                   const RecordSource& source,
                   RecordTime time,
                   const Put& put) {
  put("ts", Json(RecordTimeText(time)));
  put("level", Json(std::string(LevelWord(record.level))));
  put("message", Json(record.event));
  put("process", Json(std::string(source.process)));
  put("pid", Json(source.pid));
  for (const auto& [key, value] : record.fields) {
    put(key, ToJson(value));
  }
}

bool IsPlain(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c <= '~' && c != '"' && c != '=' && c != '\\';
  });
}

}  // namespace

std::string RecordTimeText(RecordTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t whole = std::chrono::system_clock::to_time_t(seconds);
  std::tm parts{};
  (void)::gmtime_r(&whole, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  const auto fraction = static_cast<long>((time - seconds).count());
  std::array<char, 16> digits{};
  (void)std::snprintf(digits.data(), digits.size(), ".%06ldZ", fraction);
  return std::string(text.data(), size) + digits.data();
}

std::string_view LevelWord(LogLevel level) {
  constexpr std::array<std::string_view, 4> kWords = {"DEBUG", "INFO", "WARN", "ERROR"};
  return kWords.at(static_cast<std::size_t>(level));
}

std::string RecordToJson(const LogRecord& record, const RecordSource& source, RecordTime time) {
  std::string line = "{";
  ForEachMember(record, source, time, [&line](const std::string& key, const Json& value) {
    line.append(line.size() == 1 ? "" : ",").append(Dump(key)).append(":").append(Dump(value));
  });
  return line.append("}");
}

std::string RecordToText(const LogRecord& record, const RecordSource& source, RecordTime time) {
  std::string line;
  ForEachMember(record, source, time, [&line](const std::string& key, const Json& value) {
    const bool plain = value.is_string() && IsPlain(value.get_ref<const std::string&>());
    line.append(line.empty() ? "" : " ").append(IsPlain(key) ? key : Dump(key)).append("=");
    line.append(plain ? value.get_ref<const std::string&>() : Dump(value));
  });
  return line;
}

}  // namespace baokms::supervisor
