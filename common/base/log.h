// What a log record is, without saying where it goes. A child sends its records to the supervisor;
// the supervisor writes all of them as one stream (supervisor/observe).

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace baokms {

enum class LogLevel : std::uint8_t { kDebug = 0, kInfo = 1, kWarn = 2, kError = 3 };

// A field's value: text, a whole number, a float (durations in milliseconds) or true/false.
using LogValue = std::variant<std::string, std::int64_t, double, bool>;

// An event name of docs/observability.md#logs ("kms.request") and its fields in order. Never put
// plaintext, tokens, JWTs, full ciphertexts, paths, key names or texts of OpenBao into one.
struct LogRecord {
  LogLevel level = LogLevel::kInfo;
  std::string event;
  std::vector<std::pair<std::string, LogValue>> fields;
  // Written after the fields, and only in incident mode (configuration, logging.debugCorrelation).
  std::vector<std::pair<std::string, LogValue>> correlation{};
};

// Where records go. Write() may be called from any thread and does not block on a peer.
class LogSink {
 public:
  virtual ~LogSink() = default;

  virtual void Write(const LogRecord& record) = 0;

  // Whether a record of this level would be written; lets a caller skip building it.
  [[nodiscard]] virtual bool Enabled(LogLevel level) const = 0;

  // Whether records of requests carry correlation ids now (LogRecord::correlation).
  [[nodiscard]] virtual bool Correlates() const { return false; }

 protected:
  LogSink() = default;
  LogSink(const LogSink&) = default;
  LogSink& operator=(const LogSink&) = default;
};

}  // namespace baokms
