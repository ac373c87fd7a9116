// What the KMS service stands on, played by a test: workers, status, metrics, log.

#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/contract/annotations.h"
#include "common/contract/key_binding.h"
#include "proto/ipc.pb.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/kms/service.h"
#include "supervisor/observe/metrics.h"
#include "supervisor/status/status_source.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// The identity of the contract's golden vector.
inline contract::KeyIdentity GoldenIdentity() {
  return {.provider_name = "openbao-kms-workload-a",
          .cluster_id = "workload-a",
          .instance_id = "bao-prod-a",
          .namespace_path = "",
          .transit_mount_id = "transit-prod-primary",
          .key_lineage_id = "01HXEXAMPLEKEYLINEAGEID"};
}

inline constexpr contract::KeyVersion kGoldenVersion{3, 1715803200};
inline constexpr const char* kPluginVersion = "v0.1.0-test";

inline std::string GoldenKeyId() {
  return std::string(contract::BindKey(GoldenIdentity(), kGoldenVersion)->key_id.text());
}

inline std::vector<contract::Annotation> GoldenAnnotations() {
  return contract::BuildAnnotations(*contract::BindKey(GoldenIdentity(), kGoldenVersion),
                                    kPluginVersion)
      .value();
}

// Well formed: 12 bytes of nonce, one of data and 16 of tag.
inline std::string GoodCiphertext(int version = 3) {
  return "vault:v" + std::to_string(version) + ":" + std::string(38, 'A') + "A=";
}

inline ipc::EncryptAnswer GoodEncryptAnswer() {
  ipc::EncryptAnswer answer;
  answer.set_outcome(ipc::OUTCOME_OK);
  answer.set_key_id(GoldenKeyId());
  answer.set_ciphertext(GoodCiphertext());
  for (const contract::Annotation& annotation : GoldenAnnotations()) {
    ipc::IpcAnnotation& added = *answer.add_annotations();
    added.set_key(std::string(annotation.key));
    added.set_value(annotation.value);
  }
  return answer;
}

inline ipc::DecryptAnswer DecryptedTo(const std::string& plaintext) {
  ipc::DecryptAnswer answer;
  answer.set_outcome(ipc::OUTCOME_OK);
  answer.set_plaintext(plaintext);
  return answer;
}

template <typename Answer>
Answer FailedWith(ipc::Outcome outcome) {
  Answer answer;
  answer.set_outcome(outcome);
  return answer;
}

inline v2::DecryptRequest GoodDecryptRequest() {
  v2::DecryptRequest request;
  request.set_ciphertext(GoodCiphertext());
  request.set_key_id(GoldenKeyId());
  request.set_uid("safe-request-uid");
  for (const contract::Annotation& annotation : GoldenAnnotations()) {
    v2::Annotation& added = *request.add_annotations();
    added.set_key(std::string(annotation.key));
    added.set_value(annotation.value);
  }
  return request;
}

// Answers from slot 0, or from the one it is sent to, through the loop; keeps what it was asked.
class FakeWorkerPool final : public WorkerPool {
 public:
  // Null: the question stays open.
  using EncryptScript =
      std::function<std::optional<ipc::EncryptAnswer>(const ipc::EncryptRequest&)>;
  using DecryptScript = std::function<std::optional<ipc::DecryptAnswer>(const ipc::DecryptRequest&,
                                                                        const WorkerChoice&)>;

  explicit FakeWorkerPool(EventLoop& loop, Slot configured = 2) : slots(configured), loop_(loop) {}

  void Cancel(RequestId operation) override {
    const std::lock_guard lock(mutex_);
    cancelled.push_back(operation);
    open_.erase(operation);
  }

  void Replace(const WorkerProcess& worker) override {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(worker.number, NumberOf(worker.slot));
    replaced.push_back(worker.slot);
  }

  void PublishKeyTable(ipc::KeyTable, std::function<void()>) override {
    throw std::logic_error("not part of the service");
  }

  [[nodiscard]] std::vector<WorkerState> Workers() const override {
    std::vector<WorkerState> states(slots);
    for (Slot slot = 0; slot < slots; ++slot) {
      states[slot].slot = slot;
      states[slot].lost = slot == 1 && other_worker_lost;
    }
    return states;
  }

  // Answers every open Decrypt.
  void AnswerOpen(const ipc::DecryptAnswer& answer) {
    std::map<RequestId, Open> open;
    {
      const std::lock_guard lock(mutex_);
      open.swap(open_);
    }
    for (auto& [id, question] : open) {
      Reply<ipc::DecryptAnswer> reply;
      reply.answer = answer;
      reply.worker = question.worker;
      loop_.Post([done = std::move(question.done), reply] { done(reply); });
    }
  }

  std::size_t decrypt_count() {
    const std::lock_guard lock(mutex_);
    return decrypts.size();
  }

  EncryptScript on_encrypt = [](const auto&) {
    return GoodEncryptAnswer();
  };
  DecryptScript on_decrypt = [](const auto&, const auto&) {
    return DecryptedTo("secret");
  };
  std::atomic<bool> other_worker_ready{true};
  std::atomic<bool> other_worker_lost{false};
  std::vector<ipc::EncryptRequest> encrypts;
  std::vector<std::pair<ipc::DecryptRequest, WorkerChoice>> decrypts;
  std::vector<RequestId> cancelled;
  std::vector<Slot> replaced;
  Slot slots = 2;  // as configured

 private:
  struct Open {
    WorkerProcess worker;
    OnReply<ipc::DecryptAnswer> done;
  };

  RequestId SubmitAny(AnyRequest request, WorkerChoice choice, AnyDone done) override {
    const std::lock_guard lock(mutex_);
    const RequestId id = ++last_id_;
    if (const auto* encrypt = std::get_if<ipc::EncryptRequest>(&request)) {
      encrypts.push_back(*encrypt);
      if (auto answer = on_encrypt(*encrypt)) {
        Reply<ipc::EncryptAnswer> reply;
        reply.answer = *std::move(answer);
        reply.worker = WorkerFor({});
        loop_.Post([done = std::get<OnReply<ipc::EncryptAnswer>>(std::move(done)), reply] {
          done(reply);
        });
      }
      return id;
    }
    const auto& decrypt = std::get<ipc::DecryptRequest>(request);  // the service asks nothing else
    auto on_reply = std::get<OnReply<ipc::DecryptAnswer>>(std::move(done));
    decrypts.emplace_back(decrypt, choice);
    if (auto answer = on_decrypt(decrypt, choice)) {
      Reply<ipc::DecryptAnswer> reply;
      reply.answer = *std::move(answer);
      reply.worker = WorkerFor(choice);
      loop_.Post([on_reply = std::move(on_reply), reply] { on_reply(reply); });
    } else {
      open_.emplace(id, Open{WorkerFor(choice), std::move(on_reply)});
    }
    return id;
  }

  [[nodiscard]] WorkerProcess WorkerFor(const WorkerChoice& choice) const {
    Slot slot = 0;
    if (choice.only) {
      slot = *choice.only;
    } else if (choice.not_this && other_worker_ready) {
      slot = *choice.not_this + 1;
    }
    return {.slot = slot, .number = NumberOf(slot)};
  }

  // Process 10 of a slot is followed by process 20, and so on.
  [[nodiscard]] std::uint64_t NumberOf(Slot slot) const {
    return 10 * (1 + static_cast<std::uint64_t>(std::ranges::count(replaced, slot)));
  }

  EventLoop& loop_;
  std::mutex mutex_;
  std::map<RequestId, Open> open_;
  RequestId last_id_ = 0;
};

class FakeStatus final : public StatusSource {
 public:
  explicit FakeStatus(EventLoop& loop) : loop_(loop) { Set(Healthy()); }

  static StatusView Healthy() {
    StatusView view;
    view.health = StatusView::Health::kOk;
    view.metadata_at = BootNow();
    view.metadata_at_unix = UnixNow();
    view.max_staleness = std::chrono::minutes(2);
    view.table_generation = 7;
    view.active_key_id = GoldenKeyId();
    view.active_version = 3;
    view.decryptable[GoldenKeyId()] = {3, kGoldenVersion.created_at_unix};
    return view;
  }

  void Set(StatusView view) {
    const std::lock_guard lock(mutex_);
    view_ = std::make_shared<const StatusView>(std::move(view));
  }

  [[nodiscard]] std::shared_ptr<const StatusView> View() const override {
    if (on_view) {
      on_view();
    }
    const std::lock_guard lock(mutex_);
    return view_;
  }

  void Discover(std::string_view key_id,
                BootTime,
                BootTime,
                std::function<void(DiscoveryOutcome)> done) override {
    ++discoveries;
    last_discovered = key_id;
    loop_.Post([this, done = std::move(done)] { done(on_discover()); });
  }

  std::function<void()> on_view;
  std::function<DiscoveryOutcome()> on_discover = [] {
    return DiscoveryOutcome::kUnknown;
  };
  std::atomic<int> discoveries{0};
  std::string last_discovered;

 private:
  EventLoop& loop_;
  mutable std::mutex mutex_;
  std::shared_ptr<const StatusView> view_;
};

class FakeMetrics final : public Metrics {
 public:
  void RequestStarted(KmsMethod) override { ++started; }

  void RequestFinished(KmsMethod method,
                       std::string_view code,
                       std::string_view error_class,
                       BootTime) override {
    const std::lock_guard lock(mutex_);
    finished.emplace_back(method, code, error_class);
  }

  void ConcurrencyRejected(KmsMethod) override { ++rejected; }

  void Stage(KmsMethod, std::string_view stage, BootTime) override {
    const std::lock_guard lock(mutex_);
    ++stages[std::string(stage)];
  }

  void RequestReplayed(KmsMethod) override { ++replayed; }

  void RequestHedged(KmsMethod) override { ++hedged; }

  void EncryptSelfVerified() override { ++self_verified; }

  void EncryptMismatch() override { ++encrypt_mismatches; }

  void DecryptMismatch() override { ++mismatches; }

  void DecryptUnconfirmed() override { ++unconfirmed; }

  void DecryptUnchecked() override { ++unchecked; }

  void DecryptCoalesced() override { ++coalesced; }

  void PanicRecovered(KmsMethod) override { ++panics; }

  void PeerConnection(std::uint32_t uid, int change) override {
    last_uid = uid;
    peers += change;
    accepted += change > 0 ? 1 : 0;
  }

  void OpenBaoCall(const ipc::OpenBaoCall&) override {}

  void Login(std::string_view) override {}

  void Renewal(std::string_view) override {}

  void BrokerConnection(std::uint32_t, std::string_view) override {}

  void ActiveKey(std::string_view, std::uint32_t) override {}

  void MetadataObservation(std::string_view) override {}

  void BreakerState(int) override {}

  void RotationState(std::string_view) override {}

  void PersistenceDegraded(int) override {}

  void RegistryRecords(std::size_t) override {}

  void ProcessUp(std::string_view, int) override {}

  void ProcessRestarted(std::string_view, std::string_view) override {}

  void SeccompViolation(std::string_view, std::string_view) override {}

  void SocketRestarted() override {}

  void SocketRebound() override {}

  void SocketMissing(int) override {}

  [[nodiscard]] std::vector<std::tuple<KmsMethod, std::string, std::string>> Finished() {
    const std::lock_guard lock(mutex_);
    return finished;
  }

  std::atomic<int> started{0};
  std::atomic<int> rejected{0};
  std::atomic<int> replayed{0};
  std::atomic<int> hedged{0};
  std::atomic<int> self_verified{0};
  std::atomic<int> encrypt_mismatches{0};
  std::atomic<int> mismatches{0};
  std::atomic<int> unconfirmed{0};
  std::atomic<int> unchecked{0};
  std::atomic<int> coalesced{0};
  std::atomic<int> panics{0};
  std::atomic<int> peers{0};
  std::atomic<int> accepted{0};
  std::atomic<std::uint32_t> last_uid{0};
  std::map<std::string, int> stages;

 private:
  std::mutex mutex_;
  std::vector<std::tuple<KmsMethod, std::string, std::string>> finished;
};

class FakeLog final : public LogSink {
 public:
  void Write(const LogRecord& record) override {
    const std::lock_guard lock(mutex_);
    records_.push_back(record);
  }

  [[nodiscard]] bool Enabled(LogLevel level) const override { return level >= lowest; }

  [[nodiscard]] bool Correlates() const override { return correlates; }

  [[nodiscard]] std::vector<LogRecord> Records() {
    const std::lock_guard lock(mutex_);
    return records_;
  }

  // Every text and number of every record, to be searched.
  [[nodiscard]] std::string Everything() {
    std::string all;
    for (const LogRecord& record : Records()) {
      all += record.event + "\n";
      for (const auto& [key, value] : record.fields) {
        const auto* text = std::get_if<std::string>(&value);
        all += key + "=" + (text == nullptr ? "" : *text) + "\n";
      }
    }
    return all;
  }

  LogLevel lowest = LogLevel::kDebug;
  bool correlates = false;

 private:
  std::mutex mutex_;
  std::vector<LogRecord> records_;
};

// The value of a field, or an empty text.
inline std::string FieldOf(const LogRecord& record, std::string_view key) {
  for (const auto& [name, value] : record.fields) {
    if (name == key) {
      const auto* text = std::get_if<std::string>(&value);
      return text == nullptr ? "(not a text)" : *text;
    }
  }
  return "";
}

// A service on fakes. The loop runs when a test runs it.
struct FakeWorld {
  explicit FakeWorld(ConcurrencyLimits limits = {},
                     BootTime timeout = std::chrono::seconds(2),
                     VerifyDecrypt verify = VerifyDecrypt::kOff,
                     Slot slots = 2)
      : workers(*loop, slots),
        service(*loop,
                workers,
                status,
                observers,
                {GoldenIdentity(), kPluginVersion, timeout, limits, verify}) {}

  std::unique_ptr<EventLoop> loop = EventLoop::Create().value();
  FakeWorkerPool workers;
  FakeStatus status{*loop};
  FakeMetrics metrics;
  FakeLog log;
  Observers observers{metrics, log};
  KmsService service;
};

}  // namespace baokms::supervisor
