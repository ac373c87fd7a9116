#include "supervisor/kms/opinion.h"

namespace baokms::supervisor {

Opinion::Opinion(Reply<ipc::DecryptAnswer>& reply)
    : cause_(CauseOf(reply.answer.outcome(), KmsMethod::kDecrypt)),
      worker_(reply.worker),
      plaintext_(TakeSecret(*reply.answer.mutable_plaintext())) {
  if (cause_ == Cause::kNone && plaintext_.empty()) {
    cause_ = Cause::kBadAnswer;
  }
}

bool Opinion::Contradicts(const Opinion& other) const {
  const bool one_is_plaintext = IsPlaintext() || other.IsPlaintext();
  return one_is_plaintext && Counts() && other.Counts() && !IsSame(other);
}

}  // namespace baokms::supervisor
