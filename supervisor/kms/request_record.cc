#include "supervisor/kms/request_record.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <utility>

#include "common/contract/encoding.h"

namespace baokms::supervisor {
namespace {

// In the order of KmsMethod.
constexpr std::array kOperationNames = {"kms.status", "kms.encrypt", "kms.decrypt"};

}  // namespace

RequestRecord::RequestRecord(const Observers& observers, KmsMethod method, std::string_view uid)
    : observers_(observers), method_(method), started_(BootNow()) {
  if (!uid.empty() && observers_.log.Correlates()) {
    uid_hash_ = contract::HashText(uid);
  }
  observers_.metrics.RequestStarted(method_);
}

void RequestRecord::Finish(Cause cause, const RequestDetails& details) const {
  const BootTime duration = BootNow() - started_;
  const PublicError& error = ErrorFor(cause);
  observers_.metrics.RequestFinished(method_, ToString(error.code), error.error_class, duration);
  if (cause == Cause::kConcurrency) {
    observers_.metrics.ConcurrencyRejected(method_);
  }
  if (cause == Cause::kPanic) {
    observers_.metrics.PanicRecovered(method_);
  }
  if (observers_.log.Enabled(cause == Cause::kNone ? LogLevel::kDebug : LogLevel::kWarn)) {
    Log(cause, details, duration);
  }
}

void RequestRecord::Log(Cause cause, const RequestDetails& details, BootTime duration) const {
  const PublicError& error = ErrorFor(cause);
  LogRecord record;
  record.level = cause == Cause::kNone ? LogLevel::kDebug : LogLevel::kWarn;
  record.event = "kms.request";
  record.fields.emplace_back("operation", kOperationNames[static_cast<std::size_t>(method_)]);
  record.fields.emplace_back("status", std::string(ToString(error.code)));
  record.fields.emplace_back("duration_ms", Milliseconds(duration));
  if (!details.key_id.empty()) {
    record.fields.emplace_back("key_id_hash", contract::HashText(details.key_id));
  }
  if (details.version != 0) {
    record.fields.emplace_back("transit_key_version", std::int64_t{details.version});
  }
  if (cause != Cause::kNone) {
    record.fields.emplace_back("error_class", std::string(error.error_class));
  }
  if (!details.healthz.empty()) {
    record.fields.emplace_back("healthz", std::string(details.healthz));
  }
  if (cause == Cause::kPanic) {
    record.fields.emplace_back("panic_recovered", true);
  }
  if (!uid_hash_.empty()) {
    record.correlation.emplace_back("request_uid_hash", uid_hash_);
  }
  observers_.log.Write(record);
}

void CountStages(Metrics& metrics,
                 KmsMethod method,
                 const ipc::Stages& stages,
                 std::uint32_t queue_us,
                 std::uint32_t ipc_us) {
  using std::chrono::microseconds;
  metrics.Stage(method, "queue", microseconds(queue_us));
  metrics.Stage(method, "ipc", microseconds(ipc_us));
  for (const auto& [name, duration_us] :
       {std::pair("token_wait", stages.token_wait_us()), std::pair("connect", stages.connect_us()),
        std::pair("openbao", stages.openbao_us())}) {
    if (duration_us != 0) {
      metrics.Stage(method, name, microseconds(duration_us));
    }
  }
}

}  // namespace baokms::supervisor
