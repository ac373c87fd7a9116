#include "worker/transit_decrypt.h"

#include <functional>
#include <utility>

#include "common/base/clock.h"
#include "common/base/secret_buffer.h"
#include "common/contract/transit_ciphertext.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "worker/token_call.h"

namespace baokms::worker {
namespace {

// No ciphertext that was accepted can hold more than this.
bool IsPossible(const SecretBuffer& plaintext) {
  return plaintext.size() > 0 && plaintext.size() <= contract::MaxPlaintextBytes(1);
}

}  // namespace

TransitDecrypt::TransitDecrypt(TokenCall::Sources sources, BootTime deadline, Job job, Done done)
    : transit_(sources.transit),
      job_(std::move(job)),
      done_(std::move(done)),
      call_(
          sources,
          deadline,
          job_.connection,
          [this](const openbao::CallContext& context,
                 std::function<void(openbao::CallReport)> ended) {
            return Start(context, std::move(ended));
          },
          [this](CallEnd end) { OnEnd(std::move(end)); }) {
}

openbao::CallId TransitDecrypt::Start(const openbao::CallContext& context,
                                      std::function<void(openbao::CallReport)> ended) {
  return transit_.Decrypt(
      context, job_.ciphertext, job_.associated_data,
      [this, ended = std::move(ended)](openbao::CallReport report, SecretBuffer plaintext) {
        plaintext_ = std::move(plaintext);
        ended(std::move(report));
      });
}

void TransitDecrypt::OnEnd(CallEnd end) {
  if (end.outcome == ipc::OUTCOME_OK && !IsPossible(plaintext_)) {
    end.outcome = ipc::OUTCOME_BAD_ANSWER;
  }
  SecretBuffer plaintext;
  if (end.outcome == ipc::OUTCOME_OK) {
    plaintext = std::move(plaintext_);
  }
  const Done done = std::move(done_);
  done(std::move(end), std::move(plaintext));  // may destroy this object
}

}  // namespace baokms::worker
