#include "supervisor/observe/prometheus_metrics.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
#include "supervisor/observe/label_limiter.h"
#include "supervisor/observe/label_names.h"
#include "supervisor/observe/metrics.h"
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

}  // namespace

struct PrometheusMetrics::Impl {
  Registry registry;
  LabelLimiter words{kMaxWords};
  LabelLimiter peers{kMaxPeers};
  SelfUsage self;
  Scrape scrape;
  std::mutex key_mutex;
  Gauge* active_key = nullptr;  // guarded by key_mutex

  Family<Counter>& counter(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }

  Family<Gauge>& gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }

  Family<Histogram>& histogram(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }

  Family<Counter>& requests = counter("openbao_kms_grpc_requests_total", "KMS calls by outcome.");
  Family<Histogram>& request_time =
      histogram("openbao_kms_grpc_duration_seconds", "Time a KMS call took.");
  Family<Gauge>& in_flight = gauge("openbao_kms_grpc_in_flight", "KMS calls in progress.");
  Family<Counter>& rejections = counter("openbao_kms_grpc_concurrency_rejections_total",
                                        "KMS calls refused at the concurrency limit.");
  Family<Counter>& request_errors =
      counter("openbao_kms_request_errors_total", "Failed KMS calls by error class.");
  Family<Histogram>& stage_time =
      histogram("openbao_kms_request_stage_duration_seconds", "Where KMS calls spent their time.");
  Family<Counter>& replayed = counter("openbao_kms_requests_replayed_total",
                                      "KMS calls moved to another worker after a death.");
  Counter& self_verified = counter("openbao_kms_encrypt_self_verified_total",
                                   "Encrypt answers that only the same worker could verify.")
                               .Add({});
  Counter& coalesced = counter("openbao_kms_coalesced_decrypts_total",
                               "Decrypt calls that joined an equal one in progress.")
                           .Add({});
  Family<Counter>& panics =
      counter("openbao_kms_panic_recoveries_total", "Recovered crashes of KMS handlers.");
  Family<Gauge>& peer_connections =
      gauge("openbao_kms_peer_connections", "Connections to the KMS socket by user.");
  Family<Counter>& aad_errors =
      counter("openbao_kms_aad_validation_errors_total", "Requests refused for their annotations.");
  Family<Counter>& key_id_errors =
      counter("openbao_kms_decrypt_key_id_errors_total", "Decrypt calls refused for their key_id.");

  Family<Counter>& openbao_calls =
      counter("openbao_kms_openbao_requests_total", "Calls to OpenBao by outcome.");
  Family<Histogram>& openbao_time =
      histogram("openbao_kms_openbao_duration_seconds", "Time a call to OpenBao took.");
  Family<Counter>& logins = counter("openbao_kms_auth_login_total", "Logins by status.");
  Family<Counter>& renewals = counter("openbao_kms_auth_renewal_total", "Renewals by status.");
  Family<Counter>& broker = counter("openbao_kms_broker_connections_total",
                                    "Connections made for workers and auth agent.");
  Gauge& token_ttl =
      gauge("openbao_kms_token_ttl_seconds", "Remaining lease of the token.").Add({});
  Gauge& certificate_ttl =
      gauge("openbao_kms_certificate_ttl_seconds", "Remaining life of the client certificate.")
          .Add({});
  Gauge& jwt_ttl = gauge("openbao_kms_jwt_ttl_seconds", "Remaining life of the JWT.").Add({});
  Gauge& login_budget =
      gauge("openbao_kms_login_budget_remaining", "Logins left of the last minute's budget.")
          .Add({});

  Family<Gauge>& key_hash =
      gauge("openbao_kms_status_key_id_hash", "1 for the hash of the active key_id.");
  Gauge& key_version = gauge("openbao_kms_key_version", "Active Transit version.").Add({});
  Gauge& cache_age =
      gauge("openbao_kms_status_cache_age_seconds", "Age of the cached Status.").Add({});
  Family<Counter>& observations =
      counter("openbao_kms_transit_metadata_observation_total", "Metadata probes by status.");
  Family<Gauge>& rotation =
      gauge("openbao_kms_rotation_state", "1 for the state the rotation is in.");
  Gauge& degraded =
      gauge("openbao_kms_rotation_persistence_degraded", "1 while a save is deferred.").Add({});
  Gauge& registry_records =
      gauge("openbao_kms_registry_records", "Key versions in the registry, removed ones included.")
          .Add({});
  Gauge& registry_limit =
      gauge("openbao_kms_registry_records_limit", "Key versions that the registry can hold.")
          .Add({});
  Gauge& breaker =
      gauge("openbao_kms_circuit_breaker_state", "0 closed, 1 open or half-open.").Add({});

  Family<Gauge>& process_up = gauge("openbao_kms_process_up", "1 while the process serves.");
  Family<Counter>& process_restarts =
      counter("openbao_kms_process_restarts_total", "Restarts of a process by cause.");
  Family<Gauge>& process_resident =
      gauge("openbao_kms_process_resident_bytes", "Resident memory of a process.");
  Family<Gauge>& sandbox =
      gauge("openbao_kms_sandbox_state", "1 for a confinement that is in force.");
  Family<Counter>& violations =
      counter("openbao_kms_seccomp_violations_total", "System calls that a filter refused.");
  Counter& socket_restarts =
      counter("openbao_kms_socket_restarts_total", "Dead sockets that were removed before binding.")
          .Add({});

  Counter& socket_rebounds =
      counter("openbao_kms_socket_rebound_total", "Times that a lost KMS socket was bound again.")
          .Add({});
  Gauge& socket_missing =
      gauge("openbao_kms_socket_missing", "1 while clients cannot reach the KMS socket.").Add({});

  void AppendSelf(std::vector<prometheus::MetricFamily>& families) const;
};

void PrometheusMetrics::Impl::AppendSelf(std::vector<prometheus::MetricFamily>& families) const {
  using prometheus::MetricType;
  families.push_back(Single("process_cpu_seconds_total", "User and system time in seconds.",
                            MetricType::Counter, SelfUsage::CpuSeconds()));
  families.push_back(Single("process_open_fds", "Open descriptors.", MetricType::Gauge,
                            SelfUsage::OpenDescriptors()));
  families.push_back(Single("process_max_fds", "Limit of open descriptors.", MetricType::Gauge,
                            SelfUsage::MaxDescriptors()));
  families.push_back(Single("process_start_time_seconds", "Start, in Unix seconds.",
                            MetricType::Gauge, self.start_seconds()));
  if (const auto memory = self.ReadMemory()) {
    families.push_back(Single("process_virtual_memory_bytes", "Virtual memory.", MetricType::Gauge,
                              memory->virtual_bytes));
    families.push_back(Single("process_resident_memory_bytes", "Resident memory.",
                              MetricType::Gauge, memory->resident_bytes));
  }
}

std::unique_ptr<PrometheusMetrics> PrometheusMetrics::Create(const BuildInfo& build,
                                                             std::string_view auth_method,
                                                             std::string_view certificate_source) {
  auto impl = std::make_unique<Impl>();
  impl->gauge("openbao_kms_build_info", "The running build.")
      .Add({{"version", OrUnknown(build.version)},
            {"commit", OrUnknown(build.commit)},
            {"build_date", OrUnknown(build.build_date)},
            {"dirty", OrUnknown(build.dirty)}})
      .Set(1);
  impl->gauge("openbao_kms_auth_method_info", "The configured way to log in.")
      .Add({{"method", NormaliseLabel(auth_method)}})
      .Set(1);
  impl->gauge("openbao_kms_certificate_source_info", "Where the client certificate comes from.")
      .Add({{"source", NormaliseLabel(certificate_source)}})
      .Set(1);
  std::unique_ptr<PrometheusMetrics> metrics(new PrometheusMetrics(std::move(impl)));
  metrics->impl_->registry_limit.Set(contract::kMaxKeyRecords);
  metrics->RotationState("unknown");
  return metrics;
}

PrometheusMetrics::PrometheusMetrics(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
}

PrometheusMetrics::~PrometheusMetrics() = default;

void PrometheusMetrics::SetScrape(Scrape scrape) {
  impl_->scrape = std::move(scrape);
}

std::string PrometheusMetrics::ToText() const {
  ScrapeFacts facts;
  if (impl_->scrape) {
    facts = impl_->scrape();
    impl_->token_ttl.Set(facts.token_ttl_seconds);
    impl_->certificate_ttl.Set(facts.certificate_ttl_seconds);
    impl_->jwt_ttl.Set(facts.jwt_ttl_seconds);
    impl_->login_budget.Set(facts.login_budget_remaining);
    impl_->cache_age.Set(facts.status_cache_age_seconds);
    for (const ScrapeFacts::Resident& resident : facts.resident) {
      impl_->process_resident.Add({{"process", impl_->words.Admit(resident.process)}})
          .Set(resident.bytes);
    }
  }
  std::vector<prometheus::MetricFamily> families = impl_->registry.Collect();
  families.push_back(Single("openbao_kms_log_records_dropped_total",
                            "Log records that were not written.", prometheus::MetricType::Counter,
                            static_cast<double>(facts.log_records_dropped)));
  impl_->AppendSelf(families);
  return prometheus::TextSerializer().Serialize(families);
}

void PrometheusMetrics::RequestStarted(KmsMethod method) {
  impl_->in_flight.Add({{"method", Method(method)}}).Increment();
}

void PrometheusMetrics::RequestFinished(KmsMethod method,
                                        std::string_view code,
                                        std::string_view error_class,
                                        BootTime duration) {
  const std::string name = Method(method);
  impl_->in_flight.Add({{"method", name}}).Decrement();
  impl_->request_time.Add({{"method", name}}, Buckets()).Observe(Seconds(duration));
  impl_->requests.Add({{"method", name}, {"status", impl_->words.Admit(code)}}).Increment();
  if (error_class.empty()) {
    return;
  }
  const std::string word = impl_->words.Admit(error_class);
  impl_->request_errors.Add({{"method", name}, {"class", word}}).Increment();
  if (word == "aad_missing" || word == "aad_mismatch" || word == "annotation_invalid") {
    impl_->aad_errors.Add({{"reason", word}}).Increment();
  }
  if (word == "key_id_malformed" || word == "key_id_unknown") {
    impl_->key_id_errors.Add({{"reason", word}}).Increment();
  }
}

void PrometheusMetrics::ConcurrencyRejected(KmsMethod method) {
  impl_->rejections.Add({{"method", Method(method)}}).Increment();
}

void PrometheusMetrics::Stage(KmsMethod method, std::string_view stage, BootTime duration) {
  impl_->stage_time
      .Add({{"method", Method(method)}, {"stage", impl_->words.Admit(stage)}}, Buckets())
      .Observe(Seconds(duration));
}

void PrometheusMetrics::RequestReplayed(KmsMethod method) {
  impl_->replayed.Add({{"method", Method(method)}}).Increment();
}

void PrometheusMetrics::EncryptSelfVerified() {
  impl_->self_verified.Increment();
}

void PrometheusMetrics::DecryptCoalesced() {
  impl_->coalesced.Increment();
}

void PrometheusMetrics::PanicRecovered(KmsMethod method) {
  impl_->panics.Add({{"method", Method(method)}}).Increment();
}

void PrometheusMetrics::PeerConnection(std::uint32_t uid, int change) {
  impl_->peer_connections.Add({{"uid", impl_->peers.Admit(std::to_string(uid))}}).Increment(change);
}

void PrometheusMetrics::OpenBaoCall(const ipc::OpenBaoCall& call) {
  const std::string operation(OperationLabel(call.operation()));
  impl_->openbao_calls
      .Add({{"operation", operation}, {"status", std::string(OutcomeLabel(call.outcome()))}})
      .Increment();
  impl_->openbao_time.Add({{"operation", operation}}, Buckets())
      .Observe(Seconds(std::chrono::microseconds(call.duration_us())));
}

void PrometheusMetrics::Login(std::string_view status) {
  impl_->logins.Add({{"status", impl_->words.Admit(status)}}).Increment();
}

void PrometheusMetrics::Renewal(std::string_view status) {
  impl_->renewals.Add({{"status", impl_->words.Admit(status)}}).Increment();
}

void PrometheusMetrics::BrokerConnection(std::uint32_t endpoint, std::string_view status) {
  impl_->broker
      .Add({{"endpoint", impl_->words.Admit(std::to_string(endpoint))},
            {"status", impl_->words.Admit(status)}})
      .Increment();
}

void PrometheusMetrics::ActiveKey(std::string_view key_id, std::uint32_t version) {
  const std::lock_guard lock(impl_->key_mutex);
  if (impl_->active_key != nullptr) {
    impl_->key_hash.Remove(std::exchange(impl_->active_key, nullptr));
  }
  impl_->key_version.Set(version);
  if (!key_id.empty()) {
    impl_->active_key = &impl_->key_hash.Add(
        {{"hash", contract::HashText(key_id)}, {"apiserver_hash", ApiServerHash(key_id)}});
    impl_->active_key->Set(1);
  }
}

void PrometheusMetrics::MetadataObservation(std::string_view status) {
  impl_->observations.Add({{"status", impl_->words.Admit(status)}}).Increment();
}

void PrometheusMetrics::BreakerState(int state) {
  impl_->breaker.Set(state);
}

void PrometheusMetrics::RotationState(std::string_view state) {
  constexpr std::array<std::string_view, 3> kStates = {"active", "pending", "unknown"};
  for (const std::string_view each : kStates) {
    impl_->rotation.Add({{"state", std::string(each)}}).Set(each == state ? 1 : 0);
  }
}

void PrometheusMetrics::PersistenceDegraded(int degraded) {
  impl_->degraded.Set(degraded);
}

void PrometheusMetrics::RegistryRecords(std::size_t records) {
  impl_->registry_records.Set(static_cast<double>(records));
}

void PrometheusMetrics::ProcessUp(std::string_view process, int up) {
  impl_->process_up.Add({{"process", impl_->words.Admit(process)}}).Set(up);
}

void PrometheusMetrics::ProcessRestarted(std::string_view process, std::string_view cause) {
  impl_->process_restarts
      .Add({{"process", impl_->words.Admit(process)}, {"cause", impl_->words.Admit(cause)}})
      .Increment();
}

void PrometheusMetrics::SeccompViolation(std::string_view process, std::string_view syscall) {
  impl_->violations
      .Add({{"process", impl_->words.Admit(process)}, {"syscall", impl_->words.Admit(syscall)}})
      .Increment();
}

void PrometheusMetrics::Sandbox(std::string_view process,
                                std::string_view mechanism,
                                int in_force) {
  impl_->sandbox
      .Add({{"process", impl_->words.Admit(process)}, {"mechanism", impl_->words.Admit(mechanism)}})
      .Set(in_force);
}

void PrometheusMetrics::SocketRestarted() {
  impl_->socket_restarts.Increment();
}

void PrometheusMetrics::SocketRebound() {
  impl_->socket_rebounds.Increment();
}

void PrometheusMetrics::SocketMissing(int missing) {
  impl_->socket_missing.Set(missing);
}

}  // namespace baokms::supervisor
