// Metrics in Prometheus' text format: the names, labels and buckets of
// docs/observability.md#metrics. It only counts and opens no port.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "proto/ipc.pb.h"
#include "supervisor/config/build_info.h"
#include "supervisor/observe/metrics.h"

namespace baokms::supervisor {

// Values that are read for each scrape instead of being counted. Called on a listener's thread.
struct ScrapeFacts {
  double token_ttl_seconds = 0;        // of the worker whose token expires first
  double certificate_ttl_seconds = 0;  // 0 without certificate authentication
  double jwt_ttl_seconds = 0;          // 0 if unknown
  double login_budget_remaining = 0;   // logins that are still allowed in this minute
  double status_cache_age_seconds = 0;
  std::uint64_t log_records_dropped = 0;

  struct Resident {
    std::string process;
    double bytes = 0;
  };

  std::vector<Resident> resident;
};

class PrometheusMetrics final : public Metrics {
 public:
  using Scrape = std::function<ScrapeFacts()>;

  // `auth_method` is "jwt" or "cert"; `certificate_source` is "pkcs11" or "none". `scrape` is set
  // later with SetScrape(), once its sources exist.
  static std::unique_ptr<PrometheusMetrics> Create(const BuildInfo& build,
                                                   std::string_view auth_method,
                                                   std::string_view certificate_source);

  PrometheusMetrics(const PrometheusMetrics&) = delete;
  PrometheusMetrics& operator=(const PrometheusMetrics&) = delete;
  ~PrometheusMetrics() override;

  // Must be called before a listener calls ToText().
  void SetScrape(Scrape scrape);

  // Returns all metrics in the text format 0.0.4.
  [[nodiscard]] std::string ToText() const;

  void RequestStarted(KmsMethod method) override;
  void RequestFinished(KmsMethod method,
                       std::string_view code,
                       std::string_view error_class,
                       BootTime duration) override;
  void ConcurrencyRejected(KmsMethod method) override;
  void Stage(KmsMethod method, std::string_view stage, BootTime duration) override;
  void RequestReplayed(KmsMethod method) override;
  void EncryptSelfVerified() override;
  void DecryptCoalesced() override;
  void PanicRecovered(KmsMethod method) override;
  void PeerConnection(std::uint32_t uid, int change) override;
  void OpenBaoCall(const ipc::OpenBaoCall& call) override;
  void Login(std::string_view status) override;
  void Renewal(std::string_view status) override;
  void BrokerConnection(std::uint32_t endpoint, std::string_view status) override;
  void ActiveKey(std::string_view key_id, std::uint32_t version) override;
  void MetadataObservation(std::string_view status) override;
  void BreakerState(int state) override;
  void RotationState(std::string_view state) override;
  void PersistenceDegraded(int degraded) override;
  void RegistryRecords(std::size_t records) override;
  void ProcessUp(std::string_view process, int up) override;
  void ProcessRestarted(std::string_view process, std::string_view cause) override;
  void SeccompViolation(std::string_view process, std::string_view syscall) override;
  void Sandbox(std::string_view process, std::string_view mechanism, int in_force) override;
  void SocketRestarted() override;
  void SocketRebound() override;
  void SocketMissing(int missing) override;

 private:
  struct Impl;

  explicit PrometheusMetrics(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace baokms::supervisor
