// Answers "does OpenBao have this unknown key?" for Decrypt (docs/contract.md#discovery): one
// shared, rate-limited metadata read serves every waiting question. It never changes Status, and
// never answers "unknown" without a complete read.

#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/token_bucket.h"
#include "supervisor/status/async_mutex.h"
#include "supervisor/status/metadata_probe.h"
#include "supervisor/status/registry_publisher.h"
#include "supervisor/status/scheduler.h"
#include "supervisor/status/status_reporter.h"
#include "supervisor/status/status_source.h"

namespace baokms::supervisor {

// A burst of three reads and one more every five seconds. Failed reads count as well.
inline constexpr double kMaxDiscoveryReads = 3;
inline constexpr double kDiscoveryReadsPerSecond = 0.2;

struct DiscoveryParts {
  Scheduler& scheduler;
  AsyncMutex& mutex;
  MetadataProbe& probe;
  RegistryPublisher& publisher;
  StatusReporter& reporter;
};

// Belongs to the loop's thread.
class Discovery final {
 public:
  // References must outlive the object.
  explicit Discovery(DiscoveryParts parts) : parts_(parts) {}

  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  struct Question {
    std::string key_id;
    BootTime arrived{};
    BootTime deadline{};
    std::function<void(DiscoveryOutcome)> done;
  };

  // Calls `done` once: immediately, after a read, or at the deadline.
  void Ask(Question question);

 private:
  struct Waiting {
    Question question;
    Scheduler::TimerId timer = 0;
  };

  [[nodiscard]] std::optional<DiscoveryOutcome> TryAnswer(const Question& question) const;
  void AnswerAll(std::optional<DiscoveryOutcome> otherwise);
  void Start();
  void OnLocked();
  void OnRead(BootTime began, const MetadataResult& result);
  void Expire(std::list<Waiting>::iterator waiting);

  DiscoveryParts parts_;
  TokenBucket reads_{kMaxDiscoveryReads, kDiscoveryReadsPerSecond};
  std::list<Waiting> waiting_;
  bool under_way_ = false;  // waits for the mutex, or reads
};

}  // namespace baokms::supervisor
