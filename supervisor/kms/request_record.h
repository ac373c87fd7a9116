// One KMS request as metrics and log see it: started, finished, in which stages its time went. No
// plaintext, ciphertext or raw key_id goes in.

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

// Where the records go; both must outlive the service.
struct Observers {
  Metrics& metrics;
  LogSink& log;
};

// What is known of a request at its end. Texts are borrowed.
struct RequestDetails {
  std::string_view key_id;    // empty: not known
  std::uint32_t version = 0;  // 0: not known
  std::string_view healthz;   // Status only
};

class RequestRecord final {
 public:
  // Counts the request as started. `uid` is the caller's; only its hash is kept, in incident mode.
  RequestRecord(const Observers& observers, KmsMethod method, std::string_view uid = {});

  [[nodiscard]] KmsMethod method() const { return method_; }

  // Counts it as finished and writes its kms.request record. Once.
  void Finish(Cause cause, const RequestDetails& details) const;

 private:
  void Log(Cause cause, const RequestDetails& details, BootTime duration) const;

  const Observers& observers_;
  KmsMethod method_;
  BootTime started_;
  std::string uid_hash_;  // empty: not in incident mode
};

// Where the time of one exchange with a worker went.
void CountStages(Metrics& metrics,
                 KmsMethod method,
                 const ipc::Stages& stages,
                 std::uint32_t queue_us,
                 std::uint32_t ipc_us);

// The same, and how often the exchange moved to another worker.
template <typename Answer>
void CountReply(Metrics& metrics, KmsMethod method, const Reply<Answer>& reply) {
  CountStages(metrics, method, reply.answer.stages(), reply.queue_us, reply.ipc_us);
  for (std::uint32_t i = 0; i < reply.replays; ++i) {
    metrics.RequestReplayed(method);
  }
}

}  // namespace baokms::supervisor
