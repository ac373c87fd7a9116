// Takes the registry from disk to the workers: nothing is published before it is durable, and
// nothing appears in a view before every worker has it (docs/contract.md#invariants). Other code
// decides what the next state is.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "common/base/result.h"
#include "common/contract/registry.h"
#include "supervisor/observe/metrics.h"
#include "supervisor/registry/registry_store.h"
#include "supervisor/status/registry_messages.h"
#include "supervisor/status/rotation_machine.h"
#include "supervisor/status/status_reporter.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// Belongs to the loop's thread.
class RegistryPublisher final {
 public:
  // Called when the workers have acknowledged a table: the caller must swap the view now.
  using OnShown = std::function<void()>;

  // References must outlive the object. `store` must be loaded and its lock held.
  RegistryPublisher(WorkerPool& workers,
                    RegistryStore& store,
                    StatusReporter& reporter,
                    Metrics& metrics,
                    OnShown on_shown)
      : workers_(workers),
        store_(store),
        reporter_(reporter),
        metrics_(metrics),
        on_shown_(std::move(on_shown)) {}

  RegistryPublisher(const RegistryPublisher&) = delete;
  RegistryPublisher& operator=(const RegistryPublisher&) = delete;

  // Publishes the loaded registry (or an empty table) to the workers and shows its keys
  // immediately, because no worker receives a request before it has the table. Fails as
  // MakeKeyTable() does.
  [[nodiscard]] Status Start();

  // Returns the durable registry; empty before the first state.
  [[nodiscard]] const std::optional<contract::RegistryState>& state() const {
    return store_.current();
  }

  // Makes `next` durable. Blocks on disk I/O. A failed save is remembered, see unfinished_change().
  [[nodiscard]] Status Save(const contract::RegistryState& next, RotationChange change);

  // Retries a failed save; succeeds if there is none.
  [[nodiscard]] Status FinishSave();

  // Returns what kind of change is not durable yet; kNone if everything is.
  [[nodiscard]] RotationChange unfinished_change() const { return unfinished_change_; }

  // Returns whether the disk still holds state(), so that a restart would load what is published.
  [[nodiscard]] bool DiskHoldsState() const { return store_.HoldsCurrent(); }

  // Returns whether the workers still lack the durable registry.
  [[nodiscard]] bool NeedsPublish() const;

  // Sends state() to all workers, then shows it, then calls `done`. A failure of MakeKeyTable()
  // reaches `done` before anything was sent.
  void Publish(std::function<void(Status)> done);

  // Returns what the workers have acknowledged.
  [[nodiscard]] const PublishedKeys& shown() const { return shown_; }

 private:
  void Show(contract::RegistryState state, std::uint64_t generation);

  WorkerPool& workers_;
  RegistryStore& store_;
  StatusReporter& reporter_;
  Metrics& metrics_;
  OnShown on_shown_;
  RotationChange unfinished_change_ = RotationChange::kNone;
  std::uint64_t generation_ = 0;
  std::optional<contract::RegistryState> published_;
  PublishedKeys shown_;
};

}  // namespace baokms::supervisor
