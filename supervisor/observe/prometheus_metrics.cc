#include "supervisor/observe/prometheus_metrics.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <utility>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "common/base/clock.h"
#include "common/base/hex.h"
#include "common/contract/encoding.h"
#include "common/contract/limits.h"
#include "proto/ipc.pb.h"
#include "supervisor/observe/label_names.h"
#include "supervisor/observe/self_usage.h"

namespace baokms::supervisor {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Registry;

// Maximum number of different texts in all labels together. The fixed vocabularies have about 150.
constexpr std::size_t kMaxWords = 512;

// The same for the texts in which a child decides: how it ended, by any exit code, signal or system
// call. A child that invents causes must not use up the words of others.
constexpr std::size_t kMaxCauses = 128;

// Peers of the KMS socket that get a series of their own: API servers, and other clients that
// connect.
constexpr std::size_t kMaxPeers = 32;

// The Go provider's buckets are 1 ms to 2048 ms; this program adds buckets below and above.
const Histogram::BucketBoundaries& Buckets() {
  static const Histogram::BucketBoundaries kBuckets = {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.004,
                                                       0.008,  0.016,  0.032,  0.064, 0.128, 0.256,
                                                       0.512,  1.024,  2.048,  4.096, 8.192};
  return kBuckets;
}

std::string_view MethodLabel(KmsMethod method) {
  switch (method) {
    case KmsMethod::kStatus:
      return "status";
    case KmsMethod::kEncrypt:
      return "encrypt";
    case KmsMethod::kDecrypt:
      break;
  }
  return "decrypt";
}

std::string Method(KmsMethod method) {
  return std::string(MethodLabel(method));
}

double Seconds(BootTime duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string OrUnknown(const std::string& text) {
  return text.empty() ? "unknown" : text;
}

// The form in which kube-apiserver labels a key_id.
std::string ApiServerHash(std::string_view key_id) {
  return "sha256:" + ToHex(contract::Sha256(contract::AsBytes(key_id)));
}

prometheus::MetricFamily Single(std::string name,
                                std::string help,
                                prometheus::MetricType type,
                                double value) {
  prometheus::ClientMetric metric;
  if (type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return {std::move(name), std::move(help), type, {std::move(metric)}};
}

prometheus::ClientMetric Labelled(std::vector<prometheus::ClientMetric::Label> labels,
                                  double value) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.gauge.value = value;
  return metric;
}

class PrometheusCollector final : public PrometheusMetrics {
 public:
  PrometheusCollector(const BuildInfo& build,
                      std::string_view auth_method,
                      std::string_view certificate_source) {
    NewGauge("openbao_kms_build_info", "The running build.")
        .Add({{"version", OrUnknown(build.version)},
              {"commit", OrUnknown(build.commit)},
              {"build_date", OrUnknown(build.build_date)},
              {"dirty", OrUnknown(build.dirty)}})
        .Set(1);
    NewGauge("openbao_kms_auth_method_info", "The configured way to log in.")
        .Add({{"method", NormaliseLabel(auth_method)}})
        .Set(1);
    NewGauge("openbao_kms_certificate_source_info", "Where the client certificate comes from.")
        .Add({{"source", NormaliseLabel(certificate_source)}})
        .Set(1);
    registry_limit_.Set(contract::kMaxKeyRecords);
    RotationState("unknown");
  }

  void SetScrape(Scrape scrape) override { scrape_ = std::move(scrape); }

  [[nodiscard]] std::string ToText() override {
    ScrapeFacts facts;
    if (scrape_) {
      facts = scrape_();
      token_ttl_.Set(facts.token_ttl_seconds);
      certificate_ttl_.Set(facts.certificate_ttl_seconds);
      jwt_ttl_.Set(facts.jwt_ttl_seconds);
      login_budget_.Set(facts.login_budget_remaining);
      cache_age_.Set(facts.status_cache_age_seconds);
    }
    std::vector<prometheus::MetricFamily> families = registry_.Collect();
    AppendDropped(facts.log_records_dropped, families);
    AppendProcesses(facts, families);
    AppendSelf(families);
    return prometheus::TextSerializer().Serialize(families);
  }

  void RequestStarted(KmsMethod method) override {
    in_flight_.Add({{"method", Method(method)}}).Increment();
  }

  void RequestFinished(KmsMethod method,
                       std::string_view code,
                       std::string_view error_class,
                       BootTime duration) override {
    const std::string name = Method(method);
    in_flight_.Add({{"method", name}}).Decrement();
    request_time_.Add({{"method", name}}, Buckets()).Observe(Seconds(duration));
    requests_.Add({{"method", name}, {"status", words_.Admit(code)}}).Increment();
    if (error_class.empty()) {
      return;
    }
    const std::string word = words_.Admit(error_class);
    request_errors_.Add({{"method", name}, {"class", word}}).Increment();
    if (word == "aad_missing" || word == "aad_mismatch" || word == "annotation_invalid") {
      aad_errors_.Add({{"reason", word}}).Increment();
    }
    if (word == "key_id_malformed" || word == "key_id_unknown") {
      key_id_errors_.Add({{"reason", word}}).Increment();
    }
  }

  void ConcurrencyRejected(KmsMethod method) override {
    rejections_.Add({{"method", Method(method)}}).Increment();
  }

  void Stage(KmsMethod method, std::string_view stage, BootTime duration) override {
    stage_time_.Add({{"method", Method(method)}, {"stage", words_.Admit(stage)}}, Buckets())
        .Observe(Seconds(duration));
  }

  void RequestReplayed(KmsMethod method) override {
    replayed_.Add({{"method", Method(method)}}).Increment();
  }

  void RequestHedged(KmsMethod method) override {
    hedged_.Add({{"method", Method(method)}}).Increment();
  }

  void EncryptSelfVerified() override { self_verified_.Increment(); }

  void EncryptMismatch() override { encrypt_mismatches_.Increment(); }

  void DecryptMismatch() override { mismatches_.Increment(); }

  void DecryptUnconfirmed() override { unconfirmed_.Increment(); }

  void DecryptUnchecked() override { unchecked_.Increment(); }

  void DecryptCoalesced() override { coalesced_.Increment(); }

  void PanicRecovered(KmsMethod method) override {
    panics_.Add({{"method", Method(method)}}).Increment();
  }

  void PeerConnection(std::uint32_t uid, int change) override {
    peer_connections_.Add({{"uid", peers_.Admit(std::to_string(uid))}}).Increment(change);
  }

  void OpenBaoCall(const ipc::OpenBaoCall& call) override {
    const std::string operation = OperationLabel(call.operation());
    openbao_calls_
        .Add({{"operation", operation}, {"status", std::string(OutcomeLabel(call.outcome()))}})
        .Increment();
    openbao_time_.Add({{"operation", operation}}, Buckets())
        .Observe(Seconds(std::chrono::microseconds(call.duration_us())));
  }

  void Login(std::string_view status) override {
    logins_.Add({{"status", words_.Admit(status)}}).Increment();
  }

  void Renewal(std::string_view status) override {
    renewals_.Add({{"status", words_.Admit(status)}}).Increment();
  }

  void BrokerConnection(std::uint32_t endpoint, std::string_view status) override {
    broker_
        .Add({{"endpoint", words_.Admit(std::to_string(endpoint))},
              {"status", words_.Admit(status)}})
        .Increment();
  }

  void ActiveKey(std::string_view key_id, std::uint32_t version) override {
    const std::lock_guard lock(key_mutex_);
    if (active_key_ != nullptr) {
      key_hash_.Remove(std::exchange(active_key_, nullptr));
    }
    key_version_.Set(version);
    if (!key_id.empty()) {
      active_key_ = &key_hash_.Add(
          {{"hash", contract::HashText(key_id)}, {"apiserver_hash", ApiServerHash(key_id)}});
      active_key_->Set(1);
    }
  }

  void MetadataObservation(std::string_view status) override {
    observations_.Add({{"status", words_.Admit(status)}}).Increment();
  }

  void BreakerState(int state) override { breaker_.Set(state); }

  void RotationState(std::string_view state) override {
    constexpr std::array<std::string_view, 3> kStates = {"active", "pending", "unknown"};
    for (const std::string_view each : kStates) {
      rotation_.Add({{"state", std::string(each)}}).Set(each == state ? 1 : 0);
    }
  }

  void PersistenceDegraded(int degraded) override { degraded_.Set(degraded); }

  void RegistryRecords(std::size_t records) override {
    registry_records_.Set(static_cast<double>(records));
  }

  void ProcessUp(std::string_view process, int up) override {
    process_up_.Add({{"process", words_.Admit(process)}}).Set(up);
  }

  void ProcessRestarted(std::string_view process, std::string_view cause) override {
    process_restarts_.Add({{"process", words_.Admit(process)}, {"cause", causes_.Admit(cause)}})
        .Increment();
  }

  void SeccompViolation(std::string_view process, std::string_view syscall) override {
    violations_.Add({{"process", words_.Admit(process)}, {"syscall", causes_.Admit(syscall)}})
        .Increment();
  }

  void SocketRestarted() override { socket_restarts_.Increment(); }

  void SocketRebound() override { socket_rebounds_.Increment(); }

  void SocketMissing(int missing) override { socket_missing_.Set(missing); }

 private:
  // A process that has ended has no series: nothing is in force for it.
  static void AppendProcesses(const ScrapeFacts& facts,
                              std::vector<prometheus::MetricFamily>& families) {
    prometheus::MetricFamily resident{"openbao_kms_process_resident_bytes",
                                      "Resident memory of a process.",
                                      prometheus::MetricType::Gauge,
                                      {}};
    for (const ScrapeFacts::Resident& each : facts.resident) {
      resident.metric.push_back(Labelled({{"process", each.process}}, each.bytes));
    }
    prometheus::MetricFamily sandbox{"openbao_kms_sandbox_state",
                                     "1 for a confinement that is in force.",
                                     prometheus::MetricType::Gauge,
                                     {}};
    for (const ScrapeFacts::Sandbox& each : facts.sandbox) {
      sandbox.metric.push_back(Labelled({{"mechanism", each.mechanism}, {"process", each.process}},
                                        each.in_force ? 1 : 0));
    }
    families.push_back(std::move(resident));
    families.push_back(std::move(sandbox));
  }

  static void AppendDropped(const std::map<std::string, std::uint64_t>& dropped,
                            std::vector<prometheus::MetricFamily>& families) {
    prometheus::MetricFamily family{"openbao_kms_log_records_dropped_total",
                                    "Log records that were not written.",
                                    prometheus::MetricType::Counter,
                                    {}};
    for (const auto& [process, count] : dropped) {
      prometheus::ClientMetric& metric = family.metric.emplace_back();
      metric.label = {{"process", process}};
      metric.counter.value = static_cast<double>(count);
    }
    families.push_back(std::move(family));
  }

  void AppendSelf(std::vector<prometheus::MetricFamily>& families) const {
    using prometheus::MetricType;
    families.push_back(Single("process_cpu_seconds_total", "User and system time in seconds.",
                              MetricType::Counter, SelfUsage::CpuSeconds()));
    families.push_back(Single("process_open_fds", "Open descriptors.", MetricType::Gauge,
                              SelfUsage::OpenDescriptors()));
    families.push_back(Single("process_max_fds", "Limit of open descriptors.", MetricType::Gauge,
                              SelfUsage::MaxDescriptors()));
    families.push_back(Single("process_start_time_seconds", "Start, in Unix seconds.",
                              MetricType::Gauge, self_.start_seconds()));
    if (const auto memory = self_.Memory()) {
      families.push_back(Single("process_virtual_memory_bytes", "Virtual memory.",
                                MetricType::Gauge, static_cast<double>(memory->virtual_bytes)));
      families.push_back(Single("process_resident_memory_bytes", "Resident memory.",
                                MetricType::Gauge, static_cast<double>(memory->resident_bytes)));
    }
  }

  Family<Counter>& NewCounter(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
  }

  Family<Gauge>& NewGauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
  }

  Gauge& NewSingleGauge(const char* name, const char* help) { return NewGauge(name, help).Add({}); }

  Family<Histogram>& NewHistogram(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
  }

  Registry registry_;
  LabelLimiter words_{kMaxWords};
  LabelLimiter causes_{kMaxCauses};
  LabelLimiter peers_{kMaxPeers};
  SelfUsage self_;
  Scrape scrape_;
  std::mutex key_mutex_;
  Gauge* active_key_ = nullptr;  // guarded by key_mutex_

  Family<Counter>& requests_ =
      NewCounter("openbao_kms_grpc_requests_total", "KMS calls by outcome.");
  Family<Histogram>& request_time_ =
      NewHistogram("openbao_kms_grpc_duration_seconds", "Time a KMS call took.");
  Family<Gauge>& in_flight_ = NewGauge("openbao_kms_grpc_in_flight", "KMS calls in progress.");
  Family<Counter>& rejections_ = NewCounter("openbao_kms_grpc_concurrency_rejections_total",
                                            "KMS calls refused at the concurrency limit.");
  Family<Counter>& request_errors_ =
      NewCounter("openbao_kms_request_errors_total", "Failed KMS calls by error class.");
  Family<Histogram>& stage_time_ = NewHistogram("openbao_kms_request_stage_duration_seconds",
                                                "Where KMS calls spent their time.");
  Family<Counter>& hedged_ =
      NewCounter("openbao_kms_requests_hedged_total",
                 "KMS requests that were sent to a second worker because the first was late.");
  Family<Counter>& replayed_ =
      NewCounter("openbao_kms_requests_replayed_total",
                 "KMS calls moved to another worker because theirs exited or was stopped.");
  Counter& self_verified_ = NewCounter("openbao_kms_encrypt_self_verified_total",
                                       "Encrypt answers that only the same worker could verify.")
                                .Add({});
  Counter& encrypt_mismatches_ = NewCounter("openbao_kms_encrypt_mismatch_total",
                                            "Encrypt answers that turned out to be wrong.")
                                     .Add({});
  Counter& mismatches_ = NewCounter("openbao_kms_decrypt_mismatch_total",
                                    "Decrypt answers that contradicted another worker's.")
                             .Add({});
  Counter& unconfirmed_ = NewCounter("openbao_kms_decrypt_unconfirmed_total",
                                     "Lasting refusals of Decrypt that only one worker gave.")
                              .Add({});
  Counter& unchecked_ = NewCounter("openbao_kms_decrypt_unchecked_total",
                                   "Plaintexts drawn for a check that had no result.")
                            .Add({});
  Counter& coalesced_ = NewCounter("openbao_kms_coalesced_decrypts_total",
                                   "Decrypt calls that joined an equal one in progress.")
                            .Add({});
  Family<Counter>& panics_ =
      NewCounter("openbao_kms_panic_recoveries_total", "Recovered crashes of KMS handlers.");
  Family<Gauge>& peer_connections_ =
      NewGauge("openbao_kms_peer_connections", "Connections to the KMS socket by user.");
  Family<Counter>& aad_errors_ = NewCounter("openbao_kms_aad_validation_errors_total",
                                            "Requests refused for their annotations.");
  Family<Counter>& key_id_errors_ = NewCounter("openbao_kms_decrypt_key_id_errors_total",
                                               "Decrypt calls refused for their key_id.");

  Family<Counter>& openbao_calls_ =
      NewCounter("openbao_kms_openbao_requests_total", "Calls to OpenBao by outcome.");
  Family<Histogram>& openbao_time_ =
      NewHistogram("openbao_kms_openbao_duration_seconds", "Time a call to OpenBao took.");
  Family<Counter>& logins_ = NewCounter("openbao_kms_auth_login_total", "Logins by status.");
  Family<Counter>& renewals_ = NewCounter("openbao_kms_auth_renewal_total", "Renewals by status.");
  Family<Counter>& broker_ = NewCounter("openbao_kms_broker_connections_total",
                                        "Connections made for workers and auth agent.");
  Gauge& token_ttl_ =
      NewSingleGauge("openbao_kms_token_ttl_seconds", "Remaining lease of the token.");
  Gauge& certificate_ttl_ = NewSingleGauge("openbao_kms_certificate_ttl_seconds",
                                           "Remaining life of the client certificate.");
  Gauge& jwt_ttl_ = NewSingleGauge("openbao_kms_jwt_ttl_seconds", "Remaining life of the JWT.");
  Gauge& login_budget_ = NewSingleGauge("openbao_kms_login_budget_remaining",
                                        "Logins left of the last minute's budget.");

  Family<Gauge>& key_hash_ =
      NewGauge("openbao_kms_status_key_id_hash", "1 for the hash of the active key_id.");
  Gauge& key_version_ = NewSingleGauge("openbao_kms_key_version", "Active Transit version.");
  Gauge& cache_age_ =
      NewSingleGauge("openbao_kms_status_cache_age_seconds", "Age of the cached Status.");
  Family<Counter>& observations_ =
      NewCounter("openbao_kms_transit_metadata_observation_total", "Metadata probes by status.");
  Family<Gauge>& rotation_ =
      NewGauge("openbao_kms_rotation_state", "1 for the state the rotation is in.");
  Gauge& degraded_ =
      NewSingleGauge("openbao_kms_rotation_persistence_degraded", "1 while a save is deferred.");
  Gauge& registry_records_ = NewSingleGauge("openbao_kms_registry_records",
                                            "Key versions in the registry, removed ones included.");
  Gauge& registry_limit_ = NewSingleGauge("openbao_kms_registry_records_limit",
                                          "Key versions that the registry can hold.");
  Gauge& breaker_ =
      NewSingleGauge("openbao_kms_circuit_breaker_state", "0 closed, 1 open or half-open.");

  Family<Gauge>& process_up_ = NewGauge("openbao_kms_process_up", "1 while the process serves.");
  Family<Counter>& process_restarts_ =
      NewCounter("openbao_kms_process_restarts_total", "Restarts of a process by cause.");
  Family<Counter>& violations_ =
      NewCounter("openbao_kms_seccomp_violations_total", "System calls that a filter refused.");
  Counter& socket_restarts_ = NewCounter("openbao_kms_socket_restarts_total",
                                         "Dead sockets that were removed before binding.")
                                  .Add({});

  Counter& socket_rebounds_ = NewCounter("openbao_kms_socket_rebound_total",
                                         "Times that a lost KMS socket was bound again.")
                                  .Add({});
  Gauge& socket_missing_ =
      NewSingleGauge("openbao_kms_socket_missing", "1 while clients cannot reach the KMS socket.");
};

}  // namespace

std::unique_ptr<PrometheusMetrics> PrometheusMetrics::Create(const BuildInfo& build,
                                                             std::string_view auth_method,
                                                             std::string_view certificate_source) {
  return std::make_unique<PrometheusCollector>(build, auth_method, certificate_source);
}

}  // namespace baokms::supervisor
