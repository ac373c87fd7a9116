// A Transit encrypt with an explicit key version, and the checks of what comes back. Shared by
// Encrypt and by the deep probe, which differ only in what they authenticate.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/secret_buffer.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "worker/token_call.h"

namespace baokms::worker {

// OUTCOME_OK when this plaintext may be sent: INVALID_REQUEST for none, REQUEST_LIMIT when its
// ciphertext would be too long.
ipc::Outcome CheckPlaintext(std::string_view plaintext, std::int64_t version);

// Destroying it ends the call without a callback.
class TransitEncrypt final {
 public:
  struct Job {
    SecretBuffer plaintext;
    std::int64_t version = 0;
    std::string associated_data;
  };

  // `ciphertext` is complete and checked with OUTCOME_OK, else empty.
  using Done = std::function<void(CallEnd end, std::string ciphertext)>;

  TransitEncrypt(TokenCall::Sources sources, BootTime deadline, Job job, Done done);

  void Begin() { call_.Begin(); }

 private:
  openbao::CallId Start(const openbao::CallContext& context,
                        std::function<void(openbao::CallReport)> ended);
  void OnEnd(CallEnd end);
  [[nodiscard]] ipc::Outcome CheckResult() const;

  Transit& transit_;
  Job job_;
  Done done_;
  openbao::EncryptValue value_;
  TokenCall call_;
};

}  // namespace baokms::worker
