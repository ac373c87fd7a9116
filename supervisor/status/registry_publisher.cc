#include "supervisor/status/registry_publisher.h"

#include <utility>

namespace baokms::supervisor {

Status RegistryPublisher::Start() {
  ipc::KeyTable table;
  table.set_generation(++generation_);
  if (state()) {
    table = BAOKMS_TRY(MakeKeyTable(*state(), generation_));
    Show(*state(), generation_);
  }
  workers_.PublishKeyTable(std::move(table), [] {});
  return {};
}

Status RegistryPublisher::Save(const contract::RegistryState& next, RotationChange change) {
  const Status saved = store_.Save(next);
  if (!saved && store_.unfinished()) {
    unfinished_change_ = change;
  }
  return saved;
}

Status RegistryPublisher::FinishSave() {
  BAOKMS_TRY(store_.FinishSave());
  unfinished_change_ = RotationChange::kNone;
  return {};
}

bool RegistryPublisher::NeedsPublish() const {
  return state() != published_;
}

void RegistryPublisher::Publish(std::function<void(Status)> done) {
  const contract::RegistryState& durable = *state();
  auto table = MakeKeyTable(durable, generation_ + 1);
  if (!table) {
    done(table.error());
    return;
  }
  const std::uint64_t generation = ++generation_;
  workers_.PublishKeyTable(*std::move(table), [this, generation, durable, done = std::move(done)] {
    Show(durable, generation);
    done({});
  });
}

void RegistryPublisher::Show(contract::RegistryState state, std::uint64_t generation) {
  const std::optional<contract::RegistryState> before = std::exchange(published_, std::move(state));
  shown_ = ShowKeys(*published_, generation);
  metrics_.RegistryRecords(published_->contents().records.size());
  metrics_.ActiveKey(shown_.active_key_id, shown_.active_version);
  on_shown_();
  if (before && !(before->active().key_id == published_->active().key_id)) {
    reporter_.Promoted(before->active(), published_->active());
  }
}

}  // namespace baokms::supervisor
