#include "worker/transit_encrypt.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "common/contract/transit_ciphertext.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "worker/ciphertext_outcome.h"
#include "worker/token_call.h"

namespace baokms::worker {

ipc::Outcome CheckPlaintext(std::string_view plaintext, std::int64_t version) {
  if (plaintext.empty()) {
    return ipc::OUTCOME_INVALID_REQUEST;
  }
  return plaintext.size() <= contract::MaxPlaintextBytes(version) ? ipc::OUTCOME_OK
                                                                  : ipc::OUTCOME_REQUEST_LIMIT;
}

TransitEncrypt::TransitEncrypt(TokenCall::Sources sources, BootTime deadline, Job job, Done done)
    : transit_(sources.transit),
      job_(std::move(job)),
      done_(std::move(done)),
      call_(
          sources,
          deadline,
          openbao::ConnectionUse::kAny,
          [this](const openbao::CallContext& context,
                 std::function<void(openbao::CallReport)> ended) {
            return Start(context, std::move(ended));
          },
          [this](CallEnd end) { OnEnd(std::move(end)); }) {
}

openbao::CallId TransitEncrypt::Start(const openbao::CallContext& context,
                                      std::function<void(openbao::CallReport)> ended) {
  return transit_.Encrypt(
      context, job_.version, job_.plaintext.Reveal(), job_.associated_data,
      [this, ended = std::move(ended)](openbao::CallReport report, openbao::EncryptValue value) {
        value_ = std::move(value);
        ended(std::move(report));
      });
}

void TransitEncrypt::OnEnd(CallEnd end) {
  if (end.outcome == ipc::OUTCOME_OK) {
    end.outcome = CheckResult();
  }
  std::string ciphertext;
  if (end.outcome == ipc::OUTCOME_OK) {
    ciphertext = std::move(value_.ciphertext);
  }
  const Done done = std::move(done_);
  done(std::move(end), std::move(ciphertext));  // may destroy this object
}

ipc::Outcome TransitEncrypt::CheckResult() const {
  // 0 is how OpenBao says nothing about the version.
  const std::int64_t said = value_.key_version.value_or(0);
  if (said != 0 && said != job_.version) {
    return ipc::OUTCOME_BAD_ANSWER;
  }
  return OutcomeOfMade(contract::CheckCiphertext(value_.ciphertext, job_.version));
}

}  // namespace baokms::worker
