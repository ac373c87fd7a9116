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
  version_ = version;
  decrypter_ = decrypter;
  done_ = std::move(done);
  trial_ = Trial::kPair;
  const ssize_t filled = ::getrandom(plaintext_.data(), plaintext_.size(), 0);
  if (filled != static_cast<ssize_t>(plaintext_.size())) {
    scheduler_.Post([this] { End(ProbeFailure{}); });
    return;
  }
  Encrypt({});
}

void DeepProbe::Encrypt(const WorkerChoice& choice) {
  ipc::ProbeEncryptRequest request;
  request.set_deadline_ns((scheduler_.Now() + timeout_).count());
  request.set_version(version_);
  request.set_plaintext(plaintext_.data(), plaintext_.size());
  workers_.Submit(std::move(request), choice,
                  [this](const Reply<ipc::ProbeEncryptAnswer>& reply) { Decrypt(reply); });
}

void DeepProbe::Decrypt(const Reply<ipc::ProbeEncryptAnswer>& reply) {
  if (trial_ == Trial::kPair) {
    encrypter_ = reply.worker;
  }
  if (reply.answer.outcome() != ipc::OUTCOME_OK) {
    EndTrial(FailureOf(reply.answer.outcome()), reply.worker);
    return;
  }
  if (!IsCiphertextOf(reply.answer.ciphertext(), version_)) {
    EndTrial(kInvalid, reply.worker);
    return;
  }
  ipc::ProbeDecryptRequest request;
  request.set_deadline_ns((scheduler_.Now() + timeout_).count());
  request.set_version(version_);
  request.set_ciphertext(reply.answer.ciphertext());
  workers_.Submit(std::move(request), ChooseDecrypter(reply.worker.slot),
                  [this](const Reply<ipc::ProbeDecryptAnswer>& decrypted) { Compare(decrypted); });
}

WorkerChoice DeepProbe::ChooseDecrypter(Slot encrypter) const {
  if (trial_ != Trial::kPair) {
    return {.only = encrypter};
  }
  if (decrypter_ == Decrypter::kAnotherWorker) {
    return {.not_this = encrypter};
  }
  return AnotherHasToken(encrypter)
             ? WorkerChoice{.not_this = encrypter,
                            .fallback = WorkerChoice::Fallback::kSameIfOthersHang}
             : WorkerChoice{.only = encrypter};
}

bool DeepProbe::AnotherHasToken(Slot slot) const {
  const std::vector<WorkerState> workers = workers_.Workers();
  return std::ranges::any_of(workers, [slot](const WorkerState& worker) {
    return worker.slot != slot && worker.ready && worker.token_usable;
  });
}

void DeepProbe::Compare(const Reply<ipc::ProbeDecryptAnswer>& reply) {
  if (reply.answer.outcome() != ipc::OUTCOME_OK) {
    EndTrial(FailureOf(reply.answer.outcome()), reply.worker);
    return;
  }
  const std::string& got = reply.answer.plaintext();
  const bool equal =
      std::equal(plaintext_.begin(), plaintext_.end(), got.begin(), got.end(),
                 [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); });
  EndTrial(equal ? std::nullopt : std::optional(kInvalid), reply.worker);
}

// `worker` is the last one that was asked.
void DeepProbe::EndTrial(const std::optional<ProbeFailure>& failure, const WorkerProcess& worker) {
  if (trial_ == Trial::kPair) {
    failure ? EndPair(*failure, worker) : End(std::nullopt);
  } else if (!failure) {
    EndDenied(worker);
  } else if (failure->severity == Severity::kTransport) {
    suspicion_.severity = Severity::kTransport;
    End(suspicion_);
  } else if (trial_ == Trial::kAnother) {
    End(suspicion_);
  } else {
    TryAnother(suspicion_.severity == Severity::kDefinite ? suspicion_ : *failure);
  }
}

// The pair fails even if only one of the two lies, so each has to fail alone. A transport failure
// of the one that decrypts says nothing about the active key if the other one needs no help.
void DeepProbe::EndPair(const ProbeFailure& failure, const WorkerProcess& worker) {
  const bool alone = worker.number == encrypter_.number;
  const bool matters = failure.severity == Severity::kDefinite ||
                       (!alone && decrypter_ == Decrypter::kAnotherIfThereIsOne);
  if (!matters || workers_.Workers().size() == 1) {
    End(failure);
  } else if (alone) {
    TryAnother(failure);
  } else {
    trial_ = Trial::kEncrypter;
    suspicion_ = failure;
    suspect_ = worker;
    Encrypt({.only = encrypter_.slot});
  }
}

void DeepProbe::TryAnother(const ProbeFailure& failure) {
  trial_ = Trial::kAnother;
  suspicion_ = failure;
  suspect_ = encrypter_;
  Encrypt({.not_this = encrypter_.slot});
}

// `worker` can use the key alone.
void DeepProbe::EndDenied(const WorkerProcess& worker) {
  if (IsAboutKey(suspicion_)) {
    contradictions_.Found(suspicion_, suspect_, worker, scheduler_.Now());
    suspicion_.severity = Severity::kTransport;
    End(suspicion_);
  } else if (decrypter_ == Decrypter::kAnotherWorker) {
    End(suspicion_);
  } else {
    End(std::nullopt);
  }
}

void DeepProbe::End(std::optional<ProbeFailure> failure) {
  // The callback may start the next probe.
  const Done done = std::exchange(done_, nullptr);
  done(failure);
}

}  // namespace baokms::supervisor
