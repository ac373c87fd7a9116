#include "supervisor/status/metadata_probe.h"

#include <algorithm>
#include <utility>

#include "common/contract/registry_transition.h"
#include "supervisor/status/finding_text.h"
#include "supervisor/status/registry_messages.h"

namespace baokms::supervisor {
namespace {

ProbeReason ReasonOf(RotationFailure failure) {
  switch (failure) {
    case RotationFailure::kVersionRollback:
      return ProbeReason::kVersionRollback;
    case RotationFailure::kProfileInvalid:
    case RotationFailure::kKeyUnusable:
      return ProbeReason::kProfileInvalid;
    case RotationFailure::kStateForeign:
    case RotationFailure::kStateInvalid:
    case RotationFailure::kRegistryFull:  // never a failure, see CheckAnswers()
      return ProbeReason::kStateUnavailable;
  }
  return ProbeReason::kProbeFailed;
}

// Returns what is wrong with the read itself. The upsert policy comes first because it is read
// first.
std::optional<ProbeFailure> FindReadFailure(const ipc::MetadataAnswer& answer) {
  const ipc::Outcome upsert = answer.upsert_outcome();
  if (upsert != ipc::OUTCOME_OK && upsert != ipc::OUTCOME_UNSPECIFIED) {
    return CallFailure(ProbeReason::kUpsertCheckFailed, upsert);
  }
  if (answer.outcome() != ipc::OUTCOME_OK) {
    return CallFailure(ProbeReason::kMetadataReadFailed, answer.outcome());
  }
  if (upsert != ipc::OUTCOME_OK) {
    return CallFailure(ProbeReason::kUpsertCheckFailed, ipc::OUTCOME_UNDECODABLE);
  }
  return std::nullopt;
}

}  // namespace

void MetadataProbe::Run(ProbePurpose purpose, BootTime limit, Done done) {
  purpose_ = purpose;
  began_ = parts_.scheduler.Now();
  limit_ = limit;
  done_ = std::move(done);
  result_ = {};
  observation_ = {};
  counting_ = Counting::kDoesNotCount;
  suspicion_.reset();
  confirmed_ = false;
  FinishEarlierSave();
}

BootTime MetadataProbe::Deadline() const {
  return std::min(limit_, parts_.scheduler.Now() + options_.operation_timeout);
}

// At most one observation counts per probe interval, however often quick repeats and worker starts
// run probes; a slightly early probe still counts as regular.
Counting MetadataProbe::CountingNow() {
  const BootTime spacing = options_.probe_interval / 4 * 3;
  const bool due = !last_counted_ || began_ - *last_counted_ >= spacing;
  return purpose_ == ProbePurpose::kScheduled && due ? Counting::kCounts : Counting::kDoesNotCount;
}

void MetadataProbe::FinishEarlierSave() {
  // A failure shows in unfinished_change(), which is checked once metadata was read.
  (void)parts_.publisher.FinishSave();
  if (parts_.publisher.state() && parts_.publisher.NeedsPublish()) {
    PublishThen(&MetadataProbe::Read);
    return;
  }
  Read();
}

void MetadataProbe::PublishThen(void (MetadataProbe::*next)()) {
  parts_.publisher.Publish([this, next](const Status& published) {
    if (!published) {
      Fail(ProbeReason::kStatePublishFailed);
      return;
    }
    (this->*next)();
  });
}

void MetadataProbe::Ask(const WorkerChoice& choice, OnReply<ipc::MetadataAnswer> done) {
  ipc::MetadataRequest request;
  request.set_deadline_ns(Deadline().count());
  parts_.workers.Submit(std::move(request), choice, std::move(done));
}

void MetadataProbe::Read() {
  Ask({}, [this](const Reply<ipc::MetadataAnswer>& reply) { OnRead(reply); });
}

void MetadataProbe::OnRead(const Reply<ipc::MetadataAnswer>& reply) {
  const auto failure = FindReadFailure(reply.answer);
  if (failure) {
    OnFailedRead(*failure, reply.worker);
    return;
  }
  if (suspicion_ && IsAboutKey(*suspicion_)) {
    parts_.contradictions.Found(*suspicion_, worker_, reply.worker, parts_.scheduler.Now());
  }
  suspicion_.reset();
  result_.read = true;
  worker_ = reply.worker;
  answer_ = reply.answer;
  metadata_ = ToMetadata(answer_);
  if (!answer_.disable_upsert()) {
    result_.finding =
        "disable_upsert is off at the Transit mount: a misspelt key name would create a key";
    Suspect(ProbeReason::kUpsertAllowed);
  } else if (parts_.publisher.state()) {
    CheckAnswers();
  } else {
    CheckFirstAnswers();
  }
}

// A definite failure counts once another worker cannot read either, and not at all if it can.
void MetadataProbe::OnFailedRead(const ProbeFailure& failure, const WorkerProcess& worker) {
  if (suspicion_) {
    suspicion_->severity = failure.severity;
    Fail(*suspicion_);
  } else if (failure.severity == Severity::kDefinite && parts_.workers.Workers().size() > 1) {
    suspicion_ = failure;
    worker_ = worker;
    Ask({.not_this = worker.slot},
        [this](const Reply<ipc::MetadataAnswer>& reply) { OnRead(reply); });
  } else {
    Fail(failure);
  }
}

void MetadataProbe::CheckFirstAnswers() {
  if (!IsProfileValid(metadata_)) {
    result_.finding = DescribeProfile(metadata_);
    Suspect(ProbeReason::kProfileInvalid);
    return;
  }
  if (parts_.publisher.unfinished_change() != RotationChange::kNone) {
    Fail(ProbeReason::kStateSaveFailed);
    return;
  }
  auto first = contract::BuildFirstState(identity_, metadata_, parts_.scheduler.UnixNow());
  if (!first || purpose_ == ProbePurpose::kDiscovery) {
    result_.finding = first ? "" : DescribeMissingState(metadata_);
    Suspect(ProbeReason::kStateUnavailable);
    return;
  }
  observation_.next = std::move(first).value();
  observation_.change = RotationChange::kKeys;
  Confirm(&MetadataProbe::SaveNext);
}

void MetadataProbe::CheckAnswers() {
  counting_ = CountingNow();
  observation_ = Observe(*parts_.publisher.state(), metadata_, identity_, options_.rotation,
                         counting_, parts_.scheduler.UnixNow());
  if (observation_.failure) {
    result_.finding = DescribeFinding(*observation_.failure, *parts_.publisher.state(), metadata_);
    if (observation_.failure == RotationFailure::kRegistryFull) {
      Defer(Deferral::kRegistryFull);
    } else {
      Suspect(ReasonOf(*observation_.failure));
    }
    return;
  }
  if (observation_.change == RotationChange::kKeys) {
    last_complete_.reset();  // OpenBao has keys that the registry lacks: earlier reads are void
  }
  if (parts_.publisher.unfinished_change() != RotationChange::kNone) {
    CheckUnfinishedSave();
  } else if (observation_.next) {
    Confirm(&MetadataProbe::SaveNext);
  } else {
    AdvanceRotation();
  }
}

void MetadataProbe::Confirm(void (MetadataProbe::*next)()) {
  Ask({.not_this = worker_.slot},
      [this, next](const Reply<ipc::MetadataAnswer>& reply) { OnConfirmation(reply, next); });
}

void MetadataProbe::OnConfirmation(const Reply<ipc::MetadataAnswer>& reply,
                                   void (MetadataProbe::*next)()) {
  const bool answered = !FindReadFailure(reply.answer).has_value();
  if (answered && !SaySame(answer_, reply.answer)) {
    if (suspicion_) {
      parts_.contradictions.Found(*suspicion_, worker_, reply.worker, parts_.scheduler.Now());
      suspicion_->reason = ProbeReason::kMetadataUnverified;
      result_.finding.clear();
    }
    Defer(Deferral::kDisagreement);
    return;
  }
  const bool enough = !parts_.publisher.state() && one_witness_is_enough_;
  if (!answered && !enough) {
    Defer(Deferral::kSecondWorker);
    return;
  }
  confirmed_ = true;
  (this->*next)();
}

void MetadataProbe::SaveNext() {
  if (observation_.clock == ClockOrder::kRegressed) {
    parts_.reporter.ClockRegressed();
  }
  if (counting_ == Counting::kCounts) {
    last_counted_ = began_;
  }
  if (!parts_.publisher.Save(*observation_.next, observation_.change)) {
    CheckUnfinishedSave();
    return;
  }
  PublishThen(&MetadataProbe::AdvanceRotation);
}

// A failed write of bookkeeping is harmless as long as the disk holds what was published and
// everything else is good (docs/contract.md#durability).
void MetadataProbe::CheckUnfinishedSave() {
  const auto& state = parts_.publisher.state();
  const bool harmless =
      state && parts_.publisher.unfinished_change() == RotationChange::kBookkeeping &&
      parts_.publisher.DiskHoldsState() && EncryptionWith(*state, metadata_) == Encryption::kOpen &&
      parts_.health.DeepIsGood(parts_.scheduler.Now());
  if (!harmless) {
    Fail(ProbeReason::kStateSaveFailed);
    return;
  }
  result_.persistence_degraded = true;
  Defer(Deferral::kUnfinishedSave);
}

void MetadataProbe::AdvanceRotation() {
  if (purpose_ == ProbePurpose::kDiscovery) {
    IsWitnessed() ? Finish() : Confirm(&MetadataProbe::Finish);
    return;
  }
  const BootTime now = parts_.scheduler.Now();
  timer_ = AdvanceTimer(*parts_.publisher.state(), options_.rotation, timer_, now);
  if (!IsDue(timer_, options_.rotation, now)) {
    Finish();
  } else if (!confirmed_) {
    Confirm(&MetadataProbe::ProbeCandidate);
  } else {
    ProbeCandidate();
  }
}

void MetadataProbe::ProbeCandidate() {
  const contract::KeyRecord& candidate = *PendingOf(*parts_.publisher.state());
  const BootTime began = parts_.scheduler.Now();
  parts_.deep.Run(
      static_cast<std::uint32_t>(candidate.version.number), DeepProbe::Decrypter::kAnotherWorker,
      [this, began](const std::optional<ProbeFailure>& failure) {
        parts_.reporter.Probed(ProbeKind::kCandidate, parts_.scheduler.Now() - began, failure);
        if (failure) {
          Finish();  // the active key stays in use; the next probe tries again
        } else {
          PromoteCandidate();
        }
      });
}

void MetadataProbe::PromoteCandidate() {
  const auto& state = *parts_.publisher.state();
  const Promotion promotion = Promote(state, parts_.scheduler.UnixNow());
  if (!promotion.next) {
    Fail(ProbeReason::kStateUnavailable);
    return;
  }
  if (promotion.clock == ClockOrder::kRegressed) {
    parts_.reporter.ClockRegressed();
  }
  parts_.health.CandidateGood(PendingOf(state)->key_id.text());
  timer_.reset();
  if (!parts_.publisher.Save(*promotion.next, RotationChange::kKeys)) {
    Fail(ProbeReason::kStateSaveFailed);
    return;
  }
  PublishThen(&MetadataProbe::Finish);
}

// That a key does not exist is not to be believed from one worker, unless there is only one.
bool MetadataProbe::IsWitnessed() const {
  return confirmed_ || parts_.workers.Workers().size() == 1;
}

void MetadataProbe::Defer(Deferral deferral) {
  result_.deferral = deferral;
  if (suspicion_) {
    suspicion_->severity = Severity::kTransport;
    Fail(*suspicion_);
  } else {
    Finish();
  }
}

// Fails with what a worker says, if that is not its word alone.
void MetadataProbe::Suspect(ProbeReason reason) {
  suspicion_ = ProbeFailure{.reason = reason};
  IsWitnessed() ? FailAsSuspected() : Confirm(&MetadataProbe::FailAsSuspected);
}

void MetadataProbe::FailAsSuspected() {
  Fail(*suspicion_);
}

void MetadataProbe::Fail(ProbeReason reason) {
  Fail(ProbeFailure{.reason = reason});
}

void MetadataProbe::Fail(const ProbeFailure& failure) {
  result_.failure = failure;
  const Done done = std::exchange(done_, nullptr);
  done(result_);
}

void MetadataProbe::Finish() {
  const auto& state = parts_.publisher.state();
  if (!state) {
    Fail(ProbeReason::kMetadataUnverified);  // the first state needs a second worker
    return;
  }
  const bool missing = result_.deferral != Deferral::kNone &&
                       observation_.change == RotationChange::kKeys && !confirmed_;
  if (!missing && IsWitnessed()) {
    result_.keys_complete = true;
    last_complete_ = began_;
  }
  if (EncryptionWith(*state, metadata_) == Encryption::kBlocked) {
    result_.finding = DescribeBlockedEncryption(*state, metadata_);
    Suspect(ProbeReason::kEncryptionBlocked);
    return;
  }
  if (result_.finding.empty()) {
    result_.finding = DescribeFilling(*state);
  }
  const Done done = std::exchange(done_, nullptr);
  done(result_);
}

}  // namespace baokms::supervisor
