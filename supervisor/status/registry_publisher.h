// The registry between disk and workers: nothing is shown to anybody before it is durable, and
// nothing is shown in a view before every worker knows it (docs/contract.md#invariants;
// architecture, publishing a key table). What the next state is, is decided elsewhere.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "common/base/result.h"
#include "common/contract/registry.h"
#include "supervisor/registry/registry_store.h"
#include "supervisor/status/key_table.h"
#include "supervisor/status/rotation_machine.h"
#include "supervisor/status/status_reporter.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// Belongs to the loop's thread.
class RegistryPublisher final {
 public:
  // Called when the workers have acknowledged a table: the view is to be swapped now.
  using OnShown = std::function<void()>;

  // References must outlive the object. `store` is loaded and its lock is held.
  RegistryPublisher(WorkerPool& workers,
                    RegistryStore& store,
                    StatusReporter& reporter,
                    OnShown on_shown)
      : workers_(workers), store_(store), reporter_(reporter), on_shown_(std::move(on_shown)) {}

  RegistryPublisher(const RegistryPublisher&) = delete;
  RegistryPublisher& operator=(const RegistryPublisher&) = delete;

  // Offers the loaded registry (or an empty table) to the workers and shows its keys at once: no
  // worker is given a request before it has the table. Fails as MakeKeyTable() does.
  [[nodiscard]] Status Start();

  // The durable registry; empty before the first state.
  [[nodiscard]] const std::optional<contract::RegistryState>& state() const {
    return store_.current();
  }

  // Makes `next` durable. Blocks for the disk. A failure is remembered, see unfinished_change().
  [[nodiscard]] Status Save(const contract::RegistryState& next, RotationChange change);

  // Tries a remembered save again; success when there is none.
  [[nodiscard]] Status FinishSave();

  // What kind of change is not durable yet; kNone when everything is.
  [[nodiscard]] RotationChange unfinished_change() const { return unfinished_change_; }

  // The disk still holds state(): what is published is what a restart would find.
  [[nodiscard]] bool DiskHoldsState() const { return store_.HoldsCurrent(); }

  // The workers do not have the durable registry yet.
  [[nodiscard]] bool NeedsPublish() const;

  // Gives state() to all workers, then shows it, then calls `done`. A failure of MakeKeyTable()
  // comes to `done` before anything was sent.
  void Publish(std::function<void(Status)> done);

  // What the workers have acknowledged.
  [[nodiscard]] const PublishedKeys& shown() const { return shown_; }

 private:
  void Show(contract::RegistryState state, std::uint64_t generation);

  WorkerPool& workers_;
  RegistryStore& store_;
  StatusReporter& reporter_;
  OnShown on_shown_;
  RotationChange unfinished_change_ = RotationChange::kNone;
  std::uint64_t generation_ = 0;
  std::optional<contract::RegistryState> published_;
  PublishedKeys shown_;
};

}  // namespace baokms::supervisor
