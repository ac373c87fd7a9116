// Workers and an OpenBao behind them, simple enough to be obviously right. Each answer takes
// `latency` of virtual time; each worker can be made to see or say something else.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "fake_scheduler.h"
#include "ipc/key_versions.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

class FakeWorkerPool final : public WorkerPool {
 public:
  // What one worker does instead of the right thing.
  struct Faults {
    ipc::Outcome metadata = ipc::OUTCOME_OK;
    ipc::Outcome upsert = ipc::OUTCOME_OK;
    ipc::Outcome encrypt = ipc::OUTCOME_OK;
    ipc::Outcome decrypt = ipc::OUTCOME_OK;
    std::function<void(ipc::MetadataAnswer&)> lie;
    std::string ciphertext;  // instead of the right one
    bool garbles_plaintext = false;
  };

  struct Call {
    std::string operation;  // metadata, encrypt, decrypt, publish
    Slot slot = 0;
    std::uint32_t version = 0;
    BootTime at{};
  };

  explicit FakeWorkerPool(FakeScheduler& scheduler) : scheduler_(scheduler) {
    key.set_outcome(ipc::OUTCOME_OK);
    key.set_upsert_outcome(ipc::OUTCOME_OK);
    key.set_disable_upsert(true);
    key.set_type("aes256-gcm96");
    key.set_supports_encryption(true);
    key.set_supports_decryption(true);
    key.set_min_available_version(0);
    key.set_min_decryption_version(1);
    AddVersion();
  }

  // The truth about the key. Version n was made at 1'700'000'000 + 60 n.
  ipc::MetadataAnswer key;
  Slot slots = 2;  // as configured
  std::vector<Slot> ready = {0, 1};
  std::set<Slot> without_token;  // asked, they answer as `faults` says
  std::map<Slot, Faults> faults;
  BootTime latency{};
  std::vector<Call> calls;
  std::vector<ipc::KeyTable> tables;
  std::vector<Slot> replaced;
  // Runs just before a table is acknowledged.
  std::function<void()> before_acknowledgement;

  void AddVersion() {
    const auto number = static_cast<std::uint32_t>(key.latest_version() + 1);
    key.set_latest_version(number);
    (void)ipc::AppendVersion(number, 1'700'000'000 + std::int64_t{60} * number,
                             *key.mutable_versions());
  }

  // The newest version is missing in what a worker saw.
  static void ForgetNewest(ipc::MetadataAnswer& answer) {
    answer.mutable_versions()->mutable_version()->RemoveLast();
    answer.mutable_versions()->mutable_created_unix()->RemoveLast();
  }

  void FailAll(ipc::Outcome outcome) {
    for (const Slot slot : {0U, 1U}) {
      faults[slot].metadata = outcome;
      faults[slot].encrypt = outcome;
      faults[slot].decrypt = outcome;
    }
  }

  [[nodiscard]] std::size_t Count(const std::string& operation) const {
    std::size_t count = 0;
    for (const Call& call : calls) {
      if (call.operation == operation) {
        ++count;
      }
    }
    return count;
  }

  void PublishKeyTable(ipc::KeyTable table, std::function<void()> done) override {
    calls.push_back({"publish", 0, 0, scheduler_.Now()});
    tables.push_back(std::move(table));
    scheduler_.At(scheduler_.Now() + latency, [this, done = std::move(done)] {
      if (before_acknowledgement) {
        before_acknowledgement();
      }
      done();
    });
  }

  [[nodiscard]] std::vector<WorkerState> Workers() const override {
    std::vector<WorkerState> states;
    for (Slot slot = 0; slot < slots; ++slot) {
      const bool is_ready = std::ranges::find(ready, slot) != ready.end();
      states.push_back({.slot = slot,
                        .ready = is_ready,
                        .token_usable = is_ready && !without_token.contains(slot),
                        .token_expires = {}});
    }
    return states;
  }

  void Cancel(RequestId) override {}

  // The new process is an honest one.
  void Replace(const WorkerProcess& worker) override {
    replaced.push_back(worker.slot);
    faults.erase(worker.slot);
  }

 private:
  RequestId SubmitAny(AnyRequest request, WorkerChoice choice, AnyDone done) override {
    std::visit(
        [&]<typename Request>(const Request& typed) {
          using Answer = AnswerTo<Request>;
          Reply<Answer> reply;
          if (const auto slot = Choose(NameOf(typed), VersionOf(typed), choice)) {
            reply.worker = {.slot = *slot, .number = *slot + 1};
            Fill(typed, faults[*slot], reply.answer);
          } else {
            reply.answer.set_outcome(ipc::OUTCOME_UNAVAILABLE);
          }
          scheduler_.At(scheduler_.Now() + latency,
                        [done = std::get<OnReply<Answer>>(std::move(done)),
                         reply = std::move(reply)] { done(reply); });
        },
        request);
    return ++last_request_;
  }

  static std::string NameOf(const ipc::MetadataRequest&) { return "metadata"; }

  static std::string NameOf(const ipc::ProbeEncryptRequest&) { return "encrypt"; }

  static std::string NameOf(const ipc::ProbeDecryptRequest&) { return "decrypt"; }

  template <typename Request>
  static std::string NameOf(const Request&) {
    std::abort();  // the probes do not use the others
  }

  template <typename Request>
  static std::uint32_t VersionOf(const Request& request) {
    if constexpr (requires { request.version(); }) {
      return request.version();
    }
    return 0;
  }

  void Fill(const ipc::MetadataRequest&, const Faults& fault, ipc::MetadataAnswer& answer) {
    answer = key;
    answer.set_outcome(fault.metadata);
    answer.set_upsert_outcome(fault.upsert);
    if (fault.lie) {
      fault.lie(answer);
    }
  }

  static void Fill(const ipc::ProbeEncryptRequest& request,
                   const Faults& fault,
                   ipc::ProbeEncryptAnswer& answer) {
    answer.set_outcome(fault.encrypt);
    const std::string right =
        "vault:v" + std::to_string(request.version()) + ":" + request.plaintext();
    answer.set_ciphertext(fault.ciphertext.empty() ? right : fault.ciphertext);
  }

  static void Fill(const ipc::ProbeDecryptRequest& request,
                   const Faults& fault,
                   ipc::ProbeDecryptAnswer& answer) {
    answer.set_outcome(fault.decrypt);
    const std::string& ciphertext = request.ciphertext();
    std::string plaintext = ciphertext.substr(ciphertext.find(':', 6) + 1);
    if (fault.garbles_plaintext) {
      plaintext[0] = static_cast<char>(plaintext[0] ^ 1);
    }
    answer.set_plaintext(plaintext);
  }

  template <typename Request, typename Answer>
  static void Fill(const Request&, const Faults&, Answer&) {
    std::abort();
  }

  std::optional<Slot> Choose(const std::string& operation,
                             std::uint32_t version,
                             const WorkerChoice& choice) {
    std::optional<Slot> chosen;
    for (const Slot slot : ready) {
      const bool fits = (!choice.only.has_value() || choice.only == slot) &&
                        (!choice.not_this.has_value() || choice.not_this != slot);
      if (fits && !chosen.has_value()) {
        chosen = slot;
      }
    }
    if (!chosen.has_value() && choice.not_this.has_value() && !ready.empty() &&
        choice.fallback == WorkerChoice::Fallback::kSameIfOthersHang) {
      chosen = choice.not_this;
    }
    if (chosen.has_value()) {
      calls.push_back({operation, *chosen, version, scheduler_.Now()});
    }
    return chosen;
  }

  FakeScheduler& scheduler_;
  RequestId last_request_ = 0;
};

}  // namespace baokms::supervisor
