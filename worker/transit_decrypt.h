// A Transit decrypt and the check of what comes back. Shared by Decrypt and by the deep probe. All
// checks of the request come before it.

#pragma once

#include <functional>
#include <string>

#include "common/base/clock.h"
#include "common/base/secret_buffer.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "worker/token_call.h"

namespace baokms::worker {

// Destroying it ends the call without a callback.
class TransitDecrypt final {
 public:
  struct Job {
    std::string ciphertext;
    std::string associated_data;
    openbao::ConnectionUse connection = openbao::ConnectionUse::kAny;
  };

  // `plaintext` is there with OUTCOME_OK, else empty.
  using Done = std::function<void(CallEnd end, SecretBuffer plaintext)>;

  TransitDecrypt(TokenCall::Sources sources, BootTime deadline, Job job, Done done);

  void Begin() { call_.Begin(); }

 private:
  openbao::CallId Start(const openbao::CallContext& context,
                        std::function<void(openbao::CallReport)> ended);
  void OnEnd(CallEnd end);

  Transit& transit_;
  Job job_;
  Done done_;
  SecretBuffer plaintext_;
  TokenCall call_;
};

}  // namespace baokms::worker
