// All requests of the supervisor that are in progress: admits them, bounds them, and sees to it
// that each is answered exactly once. What a request means is in the operation's own file.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <google/protobuf/message_lite.h>

#include "common/base/result.h"
#include "common/contract/identity.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "worker/key_table.h"
#include "worker/known_versions.h"
#include "worker/operation.h"
#include "worker/transit_call.h"

namespace baokms::worker {

// Everything belongs to the loop's thread.
class KmsOperations final {
 public:
  using Send = std::function<void(ipc::MessageType, const google::protobuf::MessageLite&)>;

  // `sources` must outlive it.
  KmsOperations(TokenCall::Sources sources,
                contract::KeyIdentity identity,
                std::string plugin_version,
                Send send);
  KmsOperations(const KmsOperations&) = delete;
  KmsOperations& operator=(const KmsOperations&) = delete;
  ~KmsOperations();

  // Messages of the supervisor. kProtocolViolation: the id is 0 or in use.
  Status OnKeyTable(const ipc::KeyTable& table);
  Status OnEncrypt(ipc::EncryptRequest& request);
  Status OnDecrypt(ipc::DecryptRequest& request);
  Status OnMetadata(ipc::MetadataRequest& request);
  Status OnProbeEncrypt(ipc::ProbeEncryptRequest& request);
  Status OnProbeDecrypt(ipc::ProbeDecryptRequest& request);

  // Answers OUTCOME_CANCELED; nothing when the request is unknown, since its answer may have
  // crossed the cancellation.
  Status OnCancel(const ipc::CancelRequest& request);

 private:
  template <typename Kind, typename Request>
  Status Admit(ipc::MessageType answer_type, Request& request);

  template <typename Answer>
  void Finish(ipc::MessageType type, std::uint64_t id, Answer& answer);

  KeyTable keys_;
  KnownVersions known_;
  OperationContext context_;
  Send send_;
  std::map<std::uint64_t, std::unique_ptr<Operation>> operations_;
};

}  // namespace baokms::worker
