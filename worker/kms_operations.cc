#include "worker/kms_operations.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/result.h"
#include "common/contract/identity.h"
#include "ipc/message_type.h"
#include "ipc/metadata_parts.h"
#include "proto/ipc.pb.h"
#include "worker/decrypt_operation.h"
#include "worker/encrypt_operation.h"
#include "worker/known_versions.h"
#include "worker/limits.h"
#include "worker/metadata_operation.h"
#include "worker/operation.h"
#include "worker/probe_operations.h"
#include "worker/transit_call.h"
#include "worker/wipe.h"

namespace baokms::worker {

KmsOperations::KmsOperations(TokenCall::Sources sources,
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

template <typename Answer>
void KmsOperations::Finish(ipc::MessageType type, std::uint64_t id, Answer& answer) {
  std::optional<WipeAtEnd> wipe;
  if constexpr (requires { answer.mutable_plaintext(); }) {
    wipe.emplace(*answer.mutable_plaintext());
  }
  answer.set_id(id);
  if constexpr (std::is_same_v<Answer, ipc::MetadataAnswer>) {
    for (const ipc::MetadataAnswer& datagram : ipc::SplitMetadata(std::move(answer))) {
      send_(type, datagram);
    }
  } else {
    send_(type, answer);
  }
}

template <typename Kind, typename Request>
Status KmsOperations::Admit(ipc::MessageType answer_type, Request& request) {
  const std::uint64_t id = request.id();
  if (id == 0 || operations_.contains(id)) {
    return Error(ErrorCode::kProtocolViolation, "request id 0, or in use");
  }
  const BootTime now = BootNow();
  const BootTime deadline = std::min(BootTime(request.deadline_ns()), now + kLongestOperation);
  if (operations_.size() >= kMaxOperations || deadline <= now) {
    typename Kind::Answer refusal;
    refusal.set_outcome(deadline <= now ? ipc::OUTCOME_TIMEOUT : ipc::OUTCOME_OVERLOADED);
    Finish(answer_type, id, refusal);
    return {};
  }
  auto operation =
      std::make_unique<Kind>(context_, deadline, [this, answer_type, id](auto& answer) {
        Finish(answer_type, id, answer);
        operations_.erase(id);
      });
  Kind& started = *operation;
  operations_.emplace(id, std::move(operation));
  started.Begin(request);
  return {};
}

Status KmsOperations::OnEncrypt(ipc::EncryptRequest& request) {
  const WipeAtEnd wipe(*request.mutable_plaintext());
  return Admit<EncryptOperation>(ipc::MessageType::kEncryptAnswer, request);
}

Status KmsOperations::OnDecrypt(ipc::DecryptRequest& request) {
  return Admit<DecryptOperation>(ipc::MessageType::kDecryptAnswer, request);
}

Status KmsOperations::OnMetadata(ipc::MetadataRequest& request) {
  return Admit<MetadataOperation>(ipc::MessageType::kMetadataAnswer, request);
}

Status KmsOperations::OnProbeEncrypt(ipc::ProbeEncryptRequest& request) {
  const WipeAtEnd wipe(*request.mutable_plaintext());
  return Admit<ProbeEncryptOperation>(ipc::MessageType::kProbeEncryptAnswer, request);
}

Status KmsOperations::OnProbeDecrypt(ipc::ProbeDecryptRequest& request) {
  return Admit<ProbeDecryptOperation>(ipc::MessageType::kProbeDecryptAnswer, request);
}

Status KmsOperations::OnCancel(const ipc::CancelRequest& request) {
  const auto found = operations_.find(request.id());
  if (found != operations_.end()) {
    found->second->Cancel();
  }
  return {};
}

}  // namespace baokms::worker
