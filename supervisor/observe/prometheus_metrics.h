// Metrics in Prometheus' text format: the names, labels and buckets of
// docs/observability.md#metrics. It only counts and opens no port.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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
  std::map<std::string, std::uint64_t> log_records_dropped;  // by process

  struct Resident {
    std::string process;
    double bytes = 0;
  };

  std::vector<Resident> resident;

  // One confinement mechanism of one process.
  struct Sandbox {
    std::string process;
    std::string mechanism;
    bool in_force = false;
  };

  std::vector<Sandbox> sandbox;
};

class PrometheusMetrics : public Metrics {
 public:
  using Scrape = std::function<ScrapeFacts()>;

  // `auth_method` is the word of auth.method; `certificate_source` is "pkcs11" or "none". `scrape`
  // is set later with SetScrape(), once its sources exist.
  static std::unique_ptr<PrometheusMetrics> Create(const BuildInfo& build,
                                                   std::string_view auth_method,
                                                   std::string_view certificate_source);

  // Must be called before a listener calls ToText().
  virtual void SetScrape(Scrape scrape) = 0;

  // Returns all metrics in the text format 0.0.4.
  [[nodiscard]] virtual std::string ToText() = 0;
};

}  // namespace baokms::supervisor
