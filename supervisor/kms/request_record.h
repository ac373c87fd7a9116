// Metrics and log records of one KMS request: its start, its end and the time spent in each stage.
// They never contain plaintext, ciphertext or a raw key_id.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "proto/ipc.pb.h"
#include "supervisor/kms/error_policy.h"
#include "supervisor/observe/metrics.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// Destinations of metrics and log records; both must outlive the service.
struct Observers {
  Metrics& metrics;
  LogSink& log;
};

// What is known about a request when it ends. The texts are borrowed.
struct RequestDetails {
  std::string_view key_id;    // empty if unknown
  std::uint32_t version = 0;  // 0 if unknown
  std::string_view healthz;   // Status only
};

class RequestRecord final {
 public:
  // Counts the request as started. `uid` is the caller's; only its hash is kept, and only in
  // incident mode.
  RequestRecord(const Observers& observers, KmsMethod method, std::string_view uid = {});

  // Counts the request as finished and writes its kms.request record. Must be called once.
  void Finish(Cause cause, const RequestDetails& details) const;

 private:
  void Log(Cause cause, const RequestDetails& details, BootTime duration) const;

  const Observers& observers_;
  KmsMethod method_;
  BootTime started_;
  std::string uid_hash_;  // empty outside incident mode
};

// Counts the time that one exchange with a worker spent in each stage.
void CountStages(Metrics& metrics,
                 KmsMethod method,
                 const ipc::Stages& stages,
                 std::uint32_t queue_us,
                 std::uint32_t ipc_us);

// Like CountStages(), and also counts how often the exchange moved to another worker.
template <typename Answer>
void CountReply(Metrics& metrics, KmsMethod method, const Reply<Answer>& reply) {
  CountStages(metrics, method, reply.answer.stages(), reply.queue_us, reply.ipc_us);
  for (std::uint32_t i = 0; i < reply.replays; ++i) {
    metrics.RequestReplayed(method);
  }
  if (reply.hedged) {
    metrics.RequestHedged(method);
  }
}

}  // namespace baokms::supervisor
