#include "supervisor/kms/request_record.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/contract/encoding.h"
#include "proto/ipc.pb.h"
#include "supervisor/kms/error_policy.h"
#include "supervisor/observe/metrics.h"

namespace baokms::supervisor {
namespace {

std::string_view OperationName(KmsMethod method) {
  switch (method) {
    case KmsMethod::kStatus:
      return "kms.status";
    case KmsMethod::kEncrypt:
      return "kms.encrypt";
    case KmsMethod::kDecrypt:
      return "kms.decrypt";
  }
  return "kms.unknown";
}

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
  record.fields.emplace_back("operation", std::string(OperationName(method_)));
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
  if (stages.token_wait_us() != 0) {
    metrics.Stage(method, "token_wait", microseconds(stages.token_wait_us()));
  }
  if (stages.connect_us() != 0) {
    metrics.Stage(method, "connect", microseconds(stages.connect_us()));
  }
  if (stages.openbao_us() != 0) {
    metrics.Stage(method, "openbao", microseconds(stages.openbao_us()));
  }
}

}  // namespace baokms::supervisor
