// MetadataRequest: reads config/keys and the key concurrently, and stores which versions exist;
// this worker later encrypts only with those.

#pragma once

#include <optional>
#include <utility>

#include "common/base/clock.h"
#include "common/contract/key_profile.h"
#include "common/openbao/api.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "worker/operation.h"

namespace baokms::worker {

class MetadataOperation final : public AnsweringOperation<ipc::MetadataRequest,
                                                          ipc::MetadataAnswer,
                                                          ipc::MessageType::kMetadataRequest> {
 public:
  MetadataOperation(const OperationContext& context, BootTime deadline, Reply reply)
      : AnsweringOperation(context, deadline, std::move(reply)) {}

  void Begin(const ipc::MetadataRequest& request);
  void Cancel() override;

 private:
  void OnKey(ipc::Outcome outcome, const contract::TransitKeyMetadata& metadata);
  void OnUpsert(ipc::Outcome outcome, openbao::UpsertValue value);
  void EndWhenComplete();

  std::optional<ipc::Outcome> key_outcome_;
  std::optional<ipc::Outcome> upsert_outcome_;
};

}  // namespace baokms::worker
