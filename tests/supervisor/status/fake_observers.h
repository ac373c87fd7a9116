// A log and metrics that keep what they were told.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/log.h"
#include "gmock/gmock.h"
#include "supervisor/observe/metrics.h"

namespace baokms::supervisor {

class FakeLog final : public LogSink {
 public:
  void Write(const LogRecord& record) override { records.push_back(record); }

  [[nodiscard]] bool Enabled(LogLevel) const override { return true; }

  [[nodiscard]] std::vector<LogRecord> Of(std::string_view event) const {
    std::vector<LogRecord> found;
    for (const LogRecord& record : records) {
      if (record.event == event) {
        found.push_back(record);
      }
    }
    return found;
  }

  // The text of a field, or "".
  static std::string Text(const LogRecord& record, std::string_view name) {
    for (const auto& [key, value] : record.fields) {
      if (key == name && std::holds_alternative<std::string>(value)) {
        return std::get<std::string>(value);
      }
    }
    return "";
  }

  std::vector<LogRecord> records;
};

class MockMetrics : public Metrics {
 public:
  MOCK_METHOD(void, RequestStarted, (KmsMethod), (override));
  MOCK_METHOD(void,
              RequestFinished,
              (KmsMethod, std::string_view, std::string_view, BootTime),
              (override));
  MOCK_METHOD(void, ConcurrencyRejected, (KmsMethod), (override));
  MOCK_METHOD(void, Stage, (KmsMethod, std::string_view, BootTime), (override));
  MOCK_METHOD(void, RequestReplayed, (KmsMethod), (override));
  MOCK_METHOD(void, RequestHedged, (KmsMethod), (override));
  MOCK_METHOD(void, EncryptSelfVerified, (), (override));
  MOCK_METHOD(void, EncryptMismatch, (), (override));
  MOCK_METHOD(void, DecryptMismatch, (), (override));
  MOCK_METHOD(void, DecryptUnconfirmed, (), (override));
  MOCK_METHOD(void, DecryptUnchecked, (), (override));
  MOCK_METHOD(void, DecryptCoalesced, (), (override));
  MOCK_METHOD(void, PanicRecovered, (KmsMethod), (override));
  MOCK_METHOD(void, PeerConnection, (std::uint32_t, int), (override));
  MOCK_METHOD(void, OpenBaoCall, (const ipc::OpenBaoCall&), (override));
  MOCK_METHOD(void, Login, (std::string_view), (override));
  MOCK_METHOD(void, Renewal, (std::string_view), (override));
  MOCK_METHOD(void, BrokerConnection, (std::uint32_t, std::string_view), (override));
  MOCK_METHOD(void, ActiveKey, (std::string_view, std::uint32_t), (override));
  MOCK_METHOD(void, MetadataObservation, (std::string_view), (override));
  MOCK_METHOD(void, BreakerState, (int), (override));
  MOCK_METHOD(void, RotationState, (std::string_view), (override));
  MOCK_METHOD(void, PersistenceDegraded, (int), (override));
  MOCK_METHOD(void, RegistryRecords, (std::size_t), (override));
  MOCK_METHOD(void, ProcessUp, (std::string_view, int), (override));
  MOCK_METHOD(void, ProcessRestarted, (std::string_view, std::string_view), (override));
  MOCK_METHOD(void, SeccompViolation, (std::string_view, std::string_view), (override));
  MOCK_METHOD(void, SocketRestarted, (), (override));
  MOCK_METHOD(void, SocketRebound, (), (override));
  MOCK_METHOD(void, SocketMissing, (int), (override));
};

}  // namespace baokms::supervisor
