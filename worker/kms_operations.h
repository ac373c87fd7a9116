// All requests of the supervisor that are in progress: admits them, bounds their number, and
// ensures that each is answered exactly once. Each operation's own file implements the request.

#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <google/protobuf/message_lite.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/result.h"
#include "common/contract/identity.h"
#include "ipc/key_versions.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "worker/key_table.h"
#include "worker/known_versions.h"
#include "worker/limits.h"
#include "worker/operation.h"
#include "worker/transit_call.h"
#include "worker/wipe.h"

namespace baokms::worker {

// Must be used on the loop's thread only.
class KmsOperations final {
 public:
  using Send = std::function<void(ipc::MessageType, const google::protobuf::MessageLite&)>;

  // `sources` must outlive it.
  KmsOperations(TransitCall::Sources sources,
                contract::KeyIdentity identity,
                std::string plugin_version,
                Send send);
  KmsOperations(const KmsOperations&) = delete;
  KmsOperations& operator=(const KmsOperations&) = delete;
  ~KmsOperations();

  Status OnKeyTable(const ipc::KeyTable& table);

  // Starts the operation that answers `request`, or answers with a refusal. Plaintext in the
  // request is wiped. kProtocolViolation: the id is 0 or in use.
  template <typename Kind>
  Status Admit(typename Kind::Request& request);

  // Answers OUTCOME_CANCELED. Sends nothing when the request is unknown, because its answer may
  // have crossed the cancellation.
  Status OnCancel(const ipc::CancelRequest& request);

 private:
  template <typename Answer>
  void Finish(ipc::MessageType type, std::uint64_t id, Answer& answer);

  KeyTable keys_;
  KnownVersions known_;
  OperationContext context_;
  Send send_;
  std::map<std::uint64_t, std::unique_ptr<KmsOperation>> operations_;
};

template <typename Kind>
Status KmsOperations::Admit(typename Kind::Request& request) {
  std::optional<WipeAtEnd> wipe;
  if constexpr (requires { request.mutable_plaintext(); }) {
    wipe.emplace(*request.mutable_plaintext());
  }
  constexpr ipc::MessageType kAnswerType = ipc::AnswerTypeOf(Kind::kType);
  const std::uint64_t id = request.id();
  if (id == 0 || operations_.contains(id)) {
    return Error(ErrorCode::kProtocolViolation, "request id 0, or in use");
  }
  const BootTime now = BootNow();
  const BootTime deadline = std::min(BootTime(request.deadline_ns()), now + kMaxOperationDuration);
  if (operations_.size() >= kMaxOperations || deadline <= now) {
    typename Kind::Answer refusal;
    refusal.set_outcome(deadline <= now ? ipc::OUTCOME_TIMEOUT : ipc::OUTCOME_OVERLOADED);
    Finish(kAnswerType, id, refusal);
    return {};
  }
  auto operation = std::make_unique<Kind>(context_, deadline, [this, id](auto& answer) {
    Finish(kAnswerType, id, answer);
    operations_.erase(id);
  });
  Kind& started = *operation;
  operations_.emplace(id, std::move(operation));
  started.Begin(request);
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

}  // namespace baokms::worker
