#include "supervisor/status/deep_probe.h"

#include <sys/random.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/contract/limits.h"

namespace baokms::supervisor {
namespace {

constexpr ProbeFailure kInvalid = {.reason = ProbeReason::kDeepProbeInvalid,
                                   .outcome = ipc::OUTCOME_OK,
                                   .severity = Severity::kDefinite};

// An answer that a worker rejected (version, format, emptiness) is treated like one that is
// rejected here.
ProbeFailure FailureOf(ipc::Outcome outcome) {
  const bool invalid = outcome == ipc::OUTCOME_BAD_ANSWER || outcome == ipc::OUTCOME_RESPONSE_LIMIT;
  return CallFailure(invalid ? ProbeReason::kDeepProbeInvalid : ProbeReason::kDeepProbeFailed,
                     outcome);
}

bool IsCiphertextOf(const std::string& ciphertext, std::uint32_t version) {
  const std::string prefix = "vault:v" + std::to_string(version) + ":";
  return ciphertext.starts_with(prefix) && ciphertext.size() > prefix.size() &&
         ciphertext.size() <= contract::kMaxCiphertextBytes;
}

}  // namespace

void DeepProbe::Run(std::uint32_t version, Decrypter decrypter, Done done) {
  decrypter_ = decrypter;
  done_ = std::move(done);
  const ssize_t filled = ::getrandom(plaintext_.data(), plaintext_.size(), 0);
  if (filled != static_cast<ssize_t>(plaintext_.size())) {
    scheduler_.Post([this] { End(ProbeFailure{}); });
    return;
  }
  ipc::ProbeEncryptRequest request;
  request.set_deadline_ns((scheduler_.Now() + timeout_).count());
  request.set_version(version);
  request.set_plaintext(plaintext_.data(), plaintext_.size());
  workers_.Submit(
      std::move(request), {},
      [this, version](const Reply<ipc::ProbeEncryptAnswer>& reply) { Decrypt(version, reply); });
}

void DeepProbe::Decrypt(std::uint32_t version, const Reply<ipc::ProbeEncryptAnswer>& reply) {
  if (reply.answer.outcome() != ipc::OUTCOME_OK) {
    End(FailureOf(reply.answer.outcome()));
    return;
  }
  if (!IsCiphertextOf(reply.answer.ciphertext(), version)) {
    End(kInvalid);
    return;
  }
  ipc::ProbeDecryptRequest request;
  request.set_deadline_ns((scheduler_.Now() + timeout_).count());
  request.set_version(version);
  request.set_ciphertext(reply.answer.ciphertext());
  const Slot encrypter = reply.worker.slot;
  WorkerChoice choice{.not_this = encrypter};
  if (decrypter_ == Decrypter::kAnotherIfThereIsOne) {
    choice = AnotherHasToken(encrypter)
                 ? WorkerChoice{.not_this = encrypter,
                                .fallback = WorkerChoice::Fallback::kSameIfOthersHang}
                 : WorkerChoice{.only = encrypter};
  }
  workers_.Submit(
      std::move(request), choice,
      [this](const Reply<ipc::ProbeDecryptAnswer>& decrypted) { Compare(decrypted.answer); });
}

bool DeepProbe::AnotherHasToken(Slot slot) const {
  const std::vector<WorkerState> workers = workers_.Workers();
  return std::ranges::any_of(workers, [slot](const WorkerState& worker) {
    return worker.slot != slot && worker.ready && worker.token_usable;
  });
}

void DeepProbe::Compare(const ipc::ProbeDecryptAnswer& answer) {
  if (answer.outcome() != ipc::OUTCOME_OK) {
    End(FailureOf(answer.outcome()));
    return;
  }
  const std::string& got = answer.plaintext();
  const bool equal =
      std::equal(plaintext_.begin(), plaintext_.end(), got.begin(), got.end(),
                 [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); });
  End(equal ? std::nullopt : std::optional(kInvalid));
}

void DeepProbe::End(std::optional<ProbeFailure> failure) {
  // The callback may start the next probe.
  const Done done = std::exchange(done_, nullptr);
  done(failure);
}

}  // namespace baokms::supervisor
