#include "supervisor/kms/second_opinions.h"

#include <utility>

#include "common/base/log.h"
#include "supervisor/observe/metrics.h"

namespace baokms::supervisor {

void SecondOpinions::OnDecryptContradiction(const Opinion& first, const Opinion& second) {
  observers_.metrics.DecryptMismatch();
  observers_.log.Write({.level = LogLevel::kError,
                        .event = "kms.decrypt_mismatch",
                        .fields = {{"worker", std::int64_t{first.worker().slot}},
                                   {"other_worker", std::int64_t{second.worker().slot}}}});
  for (const Opinion* opinion : {&first, &second}) {
    pool_.Replace(opinion->worker());
  }
}

void SecondOpinions::OnUnconfirmed(const Opinion& only) {
  observers_.metrics.DecryptUnconfirmed();
  observers_.log.Write({.level = LogLevel::kWarn,
                        .event = "kms.decrypt_unconfirmed",
                        .fields = {{"worker", std::int64_t{only.worker().slot}}}});
}

bool SecondOpinions::OnEncryptContradiction(const WorkerProcess& maker,
                                            const std::optional<WorkerProcess>& verifier,
                                            BootTime now) {
  observers_.metrics.EncryptMismatch();
  LogRecord record = {.level = LogLevel::kError,
                      .event = "kms.encrypt_mismatch",
                      .fields = {{"worker", std::int64_t{maker.slot}}}};
  if (verifier) {
    record.fields.emplace_back("other_worker", std::int64_t{verifier->slot});
  }
  observers_.log.Write(record);
  if (!replacements_.Take(now)) {
    return false;
  }
  pool_.Replace(maker);
  if (verifier) {
    pool_.Replace(*verifier);
  }
  return true;
}

void SecondOpinions::OnAsked(const WorkerProcess& worker,
                             bool gave_one,
                             BootTime asked,
                             BootTime now) {
  if (worker.number == 0 || worker.slot >= missing_.size()) {
    return;
  }
  Missing& missing = missing_[worker.slot];
  if (missing.process != worker.number || now - missing.last >= kForgotten) {
    missing = {.process = worker.number};
  }
  if (gave_one) {
    if (missing.count > 0 && ++missing.given == kGivenForMissing) {
      --missing.count;
      missing.given = 0;
    }
    return;
  }
  if (missing.count > 0 && asked < missing.last + kBetweenMissing) {
    return;
  }
  missing.last = now;
  if (++missing.count < kMissingToReplace || !replacements_.Take(now)) {
    return;
  }
  observers_.log.Write({.level = LogLevel::kWarn,
                        .event = "kms.opinions_missing",
                        .fields = {{"worker", std::int64_t{worker.slot}}}});
  pool_.Replace(worker);
}

}  // namespace baokms::supervisor
