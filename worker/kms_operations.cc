#include "worker/kms_operations.h"

namespace baokms::worker {

KmsOperations::KmsOperations(TransitCall::Sources sources,
                             contract::KeyIdentity identity,
                             std::string plugin_version,
                             Send send)
    : keys_(std::move(identity)),
      context_{sources, keys_, known_, std::move(plugin_version)},
      send_(std::move(send)) {
}

KmsOperations::~KmsOperations() = default;

Status KmsOperations::OnKeyTable(const ipc::KeyTable& table) {
  ipc::KeyTableAnswer answer;
  answer.set_generation(table.generation());
  answer.set_outcome(keys_.Accept(table, BootNow()));
  const TableKey* active = keys_.active();
  answer.set_active_verified(active != nullptr &&
                             known_.Confirm(active->version) == KnownVersions::Answer::kConfirmed);
  send_(ipc::MessageType::kKeyTableAnswer, answer);
  return {};
}

Status KmsOperations::OnCancel(const ipc::CancelRequest& request) {
  const auto found = operations_.find(request.id());
  if (found != operations_.end()) {
    found->second->Cancel();
  }
  return {};
}

}  // namespace baokms::worker
