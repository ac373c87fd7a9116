// One metadata probe from the read to the published consequence
// (docs/contract.md#probes-and-health, docs/contract.md#rotation): reads on one worker, evaluates,
// confirms a change or a definite failure on another worker, saves, publishes, and promotes a
// candidate that is due. It does not change Status: its caller evaluates the result.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/contract/identity.h"
#include "supervisor/status/contradictions.h"
#include "supervisor/status/deep_probe.h"
#include "supervisor/status/health_tracker.h"
#include "supervisor/status/probe_failure.h"
#include "supervisor/status/registry_publisher.h"
#include "supervisor/status/rotation_machine.h"
#include "supervisor/status/scheduler.h"
#include "supervisor/status/status_reporter.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// Validated values of the configuration.
struct StatusOptions {
  BootTime operation_timeout{};    // openbao.timeout
  BootTime grace_timeout{};        // bootstrap.graceTimeout
  BootTime retry_interval{};       // bootstrap.retryInterval
  BootTime probe_interval{};       // status.probeInterval
  BootTime deep_probe_interval{};  // status.deepProbeInterval
  BootTime max_staleness{};        // status.statusMaxStaleness
  RotationPolicy rotation;
};

enum class ProbePurpose : std::uint8_t {
  kScheduled,  // may count observations and promote
  kDiscovery,  // only adds keys
};

struct MetadataResult {
  std::optional<ProbeFailure> failure;
  // Describes what is wrong with the key or, after a success, what the operator should fix before
  // it goes wrong. Empty if nothing.
  std::string finding;
  // Whether the worker read metadata and upsert policy, whatever the result; breakers count this.
  bool read = false;
  Deferral deferral = Deferral::kNone;
  // Whether the registry has every key that the metadata showed to two workers, or to the only one.
  bool keys_complete = false;
  // Whether the result is good although a save of bookkeeping is unfinished.
  bool persistence_degraded = false;
};

struct MetadataProbeParts {
  WorkerPool& workers;
  Scheduler& scheduler;
  RegistryPublisher& publisher;
  HealthTracker& health;
  DeepProbe& deep;
  Contradictions& contradictions;
  StatusReporter& reporter;
};

// Runs one probe at a time, guarded by the AsyncMutex. Belongs to the loop's thread.
class MetadataProbe final {
 public:
  using Done = std::function<void(const MetadataResult&)>;

  // References must outlive the object.
  MetadataProbe(MetadataProbeParts parts,
                contract::ConfigIdentity identity,
                const StatusOptions& options)
      : parts_(parts), identity_(std::move(identity)), options_(options) {}

  MetadataProbe(const MetadataProbe&) = delete;
  MetadataProbe& operator=(const MetadataProbe&) = delete;

  // Allows the first registry to be created from what a single worker read.
  void AllowOneWitness() { one_witness_is_enough_ = true; }

  // `limit` bounds the whole probe; each call is also bounded by the operation timeout.
  void Run(ProbePurpose purpose, BootTime limit, Done done);

  // Returns when the last probe began whose result has MetadataResult::keys_complete.
  [[nodiscard]] std::optional<BootTime> last_complete_read() const { return last_complete_; }

 private:
  void FinishEarlierSave();
  void PublishThen(void (MetadataProbe::*next)());
  void Ask(const WorkerChoice& choice, OnReply<ipc::MetadataAnswer> done);
  void Read();
  void OnRead(const Reply<ipc::MetadataAnswer>& reply);
  void OnFailedRead(const ProbeFailure& failure, const WorkerProcess& worker);
  void CheckAnswers();
  void CheckFirstAnswers();
  void Confirm(void (MetadataProbe::*next)());
  void OnConfirmation(const Reply<ipc::MetadataAnswer>& reply, void (MetadataProbe::*next)());
  void SaveNext();
  void AdvanceRotation();
  void ProbeCandidate();
  void PromoteCandidate();
  void CheckUnfinishedSave();
  void Defer(Deferral deferral);
  void Suspect(ProbeReason reason);
  void FailAsSuspected();
  void Fail(ProbeReason reason);
  void Fail(const ProbeFailure& failure);
  void Finish();

  [[nodiscard]] bool IsWitnessed() const;
  [[nodiscard]] BootTime Deadline() const;
  [[nodiscard]] Counting CountingNow();

  MetadataProbeParts parts_;
  contract::ConfigIdentity identity_;
  StatusOptions options_;
  bool one_witness_is_enough_ = false;
  std::optional<ActivationTimer> timer_;
  std::optional<BootTime> last_counted_;
  std::optional<BootTime> last_complete_;

  // State of the running probe.
  ProbePurpose purpose_ = ProbePurpose::kScheduled;
  BootTime began_{};
  BootTime limit_{};
  Done done_;
  MetadataResult result_;
  WorkerProcess worker_;  // the one that gave answer_, or failed to
  ipc::MetadataAnswer answer_;
  contract::TransitKeyMetadata metadata_;
  Observation observation_;
  Counting counting_ = Counting::kDoesNotCount;
  std::optional<ProbeFailure> suspicion_;  // what counts only if another worker confirms it
  bool confirmed_ = false;                 // by another worker, unless one is enough
};

}  // namespace baokms::supervisor
