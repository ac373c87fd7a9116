// MetadataRequest: reads config/keys and the key, at the same time, and remembers which versions
// exist: what this worker later accepts for encryption.

#pragma once

#include <optional>
#include <utility>

#include "common/base/clock.h"
#include "common/contract/key_profile.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "worker/operation.h"
#include "worker/token_call.h"

namespace baokms::worker {

class MetadataOperation final : public AnsweringOperation<ipc::MetadataAnswer> {
 public:
  MetadataOperation(const OperationContext& context, BootTime deadline, Reply reply)
      : AnsweringOperation(context, deadline, std::move(reply)) {}

  void Begin(const ipc::MetadataRequest& request);
  void Cancel() override;

 private:
  openbao::CallId StartKey(const openbao::CallContext& call,
                           std::function<void(openbao::CallReport)> ended);
  openbao::CallId StartUpsert(const openbao::CallContext& call,
                              std::function<void(openbao::CallReport)> ended);
  void OnKey(CallEnd end);
  void OnUpsert(CallEnd end);
  void EndWhenComplete();

  contract::TransitKeyMetadata metadata_;
  openbao::UpsertValue upsert_;
  std::optional<ipc::Outcome> key_outcome_;
  std::optional<ipc::Outcome> upsert_outcome_;
  std::optional<TokenCall> key_call_;
  std::optional<TokenCall> upsert_call_;
};

}  // namespace baokms::worker
