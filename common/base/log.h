// Log records, independent of their destination. A child sends its records to the supervisor, which
// writes all of them as one stream (supervisor/observe).

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace baokms {

enum class LogLevel : std::uint8_t { kDebug = 0, kInfo = 1, kWarn = 2, kError = 3 };

// The value of a field: text, an integer, a float (durations in milliseconds) or a boolean.
using LogValue = std::variant<std::string, std::int64_t, double, bool>;

// An event name of docs/observability.md#logs ("kms.request") and its fields in order. A record
// must never contain plaintext, tokens, JWTs, full ciphertexts, paths, key names or texts of
// OpenBao.
struct LogRecord {
  LogLevel level = LogLevel::kInfo;
  std::string event;
  std::vector<std::pair<std::string, LogValue>> fields;
  // Written after the fields, and only in incident mode (logging.debugCorrelation).
  std::vector<std::pair<std::string, LogValue>> correlation{};
};

// The destination of log records. Write() may be called from any thread and does not block on a
// peer.
class LogSink {
 public:
  virtual ~LogSink() = default;

  virtual void Write(const LogRecord& record) = 0;

  // Returns whether a record of this level would be written, so that a caller can avoid building
  // it.
  [[nodiscard]] virtual bool Enabled(LogLevel level) const = 0;

  // Returns whether request records currently carry correlation ids (LogRecord::correlation).
  [[nodiscard]] virtual bool Correlates() const { return false; }

 protected:
  LogSink() = default;
  LogSink(const LogSink&) = default;
  LogSink& operator=(const LogSink&) = default;
};

}  // namespace baokms
