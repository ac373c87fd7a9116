#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/setup/pkcs11_uri.h"
#include "common/setup/url.h"
#include "supervisor/config/conditions.h"
#include "supervisor/config/derived.h"
#include "supervisor/config/listen_address.h"
#include "supervisor/config/text_rules.h"
#include "supervisor/config/validate.h"

namespace baokms::supervisor {
namespace {

using std::chrono::hours;

constexpr std::size_t kMaxIncidentIdBytes = 64;

class RelationChecker {
 public:
  RelationChecker(const ConfigDocument& document, std::span<const Problem> earlier)
      : document_(document), config_(document.config), earlier_(earlier) {}

  std::vector<Problem> Run() {
    CheckTimes();
    CheckListeners();
    CheckAddresses();
    CheckDebugCorrelation();
    CheckWorkerUsers();
    if (kWithJwt.holds(config_)) {
      CheckJwt();
    }
    if (kWithCert.holds(config_)) {
      CheckCert();
    }
    return std::move(problems_);
  }

 private:
  bool Sound(std::initializer_list<std::string_view> keys) const {
    return std::none_of(keys.begin(), keys.end(),
                        [&](std::string_view key) { return IsFaulty(earlier_, key); });
  }

  void Fail(std::string_view key, std::string message) {
    problems_.push_back(document_.ProblemAt(key, std::move(message)));
  }

  void CheckWorkerUsers() {
    const IsolationConfig& isolation = config_.isolation;
    if (Sound({"isolation.workers", "isolation.workerUsers"}) && !isolation.worker_users.empty() &&
        isolation.worker_users.size() != static_cast<std::size_t>(isolation.workers)) {
      Fail("isolation.workerUsers",
           "must be empty, or have one user for each of isolation.workers");
    }
  }

  void CheckTimes() {
    if (Sound({"status.probeInterval", "status.statusMaxStaleness"}) &&
        config_.status.probe_interval >= config_.status.max_staleness) {
      Fail("status.probeInterval", "must be less than status.statusMaxStaleness");
    }
    if (Sound({"auth.tokenRenewalIncrement", "auth.loginBeforeTokenExpiry"}) &&
        config_.auth.token_renewal_increment <= config_.auth.login_before_token_expiry) {
      Fail("auth.tokenRenewalIncrement", "must be greater than auth.loginBeforeTokenExpiry");
    }
  }

  void CheckListeners() {
    const ServerConfig& server = config_.server;
    if (!Sound({"server.metricsAddress", "server.healthAddress"}) ||
        IsBlank(server.metrics_address) || IsBlank(server.health_address)) {
      return;
    }
    const auto metrics = ParseListenAddress(server.metrics_address);
    const auto health = ParseListenAddress(server.health_address);
    if (metrics && health && SameListener(*metrics, *health)) {
      Fail("server.healthAddress", "must differ from server.metricsAddress");
    }
  }

  // A duplicate address would be tried twice in a row when it fails.
  void CheckAddresses() {
    const Result<std::vector<setup::HttpsAddress>> endpoints = OpenBaoEndpoints(config_);
    for (std::size_t i = 1; endpoints && i < endpoints->size(); ++i) {
      const auto here = endpoints->begin() + static_cast<std::ptrdiff_t>(i);
      const auto first = std::find_if(endpoints->begin(), here, [&](const auto& earlier) {
        return std::tie(earlier.host, earlier.port, earlier.prefix) ==
               std::tie(here->host, here->port, here->prefix);
      });
      if (first != here) {
        Fail("openbao.additionalAddresses[" + std::to_string(i - 1) + "]",
             first == endpoints->begin() ? "repeats openbao.address" : "is duplicated");
      }
    }
  }

  void CheckDebugCorrelation() {
    const LoggingConfig& logging = config_.logging;
    const DebugCorrelationConfig& debug = logging.debug_correlation;
    if (!debug.enabled) {
      return;
    }
    if (Sound({"logging.level"}) && logging.level != LogLevel::kDebug) {
      Fail("logging.debugCorrelation.enabled", "needs logging.level debug");
    }
    if (Sound({"logging.logOpenBaoRequestIDs"}) && !logging.log_openbao_request_ids) {
      Fail("logging.debugCorrelation.enabled", "needs logging.logOpenBaoRequestIDs true");
    }
    if (Sound({"logging.debugCorrelation.incidentId"})) {
      if (IsBlank(debug.incident_id)) {
        Fail("logging.debugCorrelation.incidentId", "is required with debugCorrelation.enabled");
      } else if (debug.incident_id.size() > kMaxIncidentIdBytes) {
        Fail("logging.debugCorrelation.incidentId", "must not be longer than 64 bytes");
      }
    }
    if (Sound({"logging.debugCorrelation.ttl"}) &&
        (debug.ttl <= Duration(0) || debug.ttl > hours(1))) {
      Fail("logging.debugCorrelation.ttl", "must be greater than 0 and at most 1h");
    }
  }

  void CheckJwt() {
    const JwtConfig& jwt = config_.auth.jwt;
    if (!Sound({"auth.jwt.source"})) {
      return;
    }
    if (jwt.source == JwtSource::kFile && HasOAuth2()) {
      Fail("auth.jwt.oauth2", "must be left out with source file");
    }
    if (jwt.source != JwtSource::kOAuth2) {
      return;
    }
    if (!IsBlank(jwt.jwt_file)) {
      Fail("auth.jwt.jwtFile", "must be left out with source oauth2");
    }
    if (Sound({"auth.jwt.expectedIssuer"}) && IsBlank(jwt.expected_issuer)) {
      Fail("auth.jwt.expectedIssuer", "is required with source oauth2");
    }
    if (Sound({"auth.jwt.expectedAudience"}) && jwt.expected_audience.empty()) {
      Fail("auth.jwt.expectedAudience", "needs at least one entry with source oauth2");
    }
  }

  // Returns whether any key of the section has a value. An empty section counts as absent.
  bool HasOAuth2() const {
    const OAuth2Config& oauth2 = config_.auth.jwt.oauth2;
    return !(oauth2.token_url.empty() && oauth2.client_id.empty() &&
             oauth2.client_secret_file.empty() && oauth2.auth_method == OAuth2ClientAuth::kUnset &&
             oauth2.scopes.empty() && oauth2.audience.empty() && oauth2.resources.empty() &&
             oauth2.ca_cert_file.empty());
  }

  void CheckCert() {
    const CertConfig& cert = config_.auth.cert;
    if (Sound({"auth.cert.source", "auth.cert.pkcs11.uri"}) && kWithPkcs11.holds(config_) &&
        !cert.pkcs11.uri.empty()) {
      CheckPkcs11Uri(cert.pkcs11);
    }
    if (!Sound({"auth.cert.source"}) || cert.source != CertSource::kSpiffe) {
      return;
    }
    Fail("auth.cert.source",
         "spiffe is not supported: OpenBao's certificate login cannot derive an identity from a "
         "SPIFFE URI; use pkcs11");
    const auto domain = setup::ParseSpiffeId(cert.spiffe.spiffe_id);
    if (Sound({"auth.cert.spiffe"}) && domain && !cert.spiffe.trust_domain.empty() &&
        *domain != cert.spiffe.trust_domain) {
      Fail("auth.cert.spiffe.trustDomain", "must equal the domain of spiffeID");
    }
  }

  // Each attribute may be given only once: in the URI or by a key.
  void CheckPkcs11Uri(const Pkcs11Config& pkcs11) {
    if (!pkcs11.token_label.empty()) {
      Fail("auth.cert.pkcs11.tokenLabel", "must be left out with auth.cert.pkcs11.uri");
    }
    if (!pkcs11.key_label.empty()) {
      Fail("auth.cert.pkcs11.keyLabel", "must be left out with auth.cert.pkcs11.uri");
    }
    if (setup::UriAttribute(pkcs11.uri, "module-path").has_value() == !pkcs11.module_path.empty()) {
      Fail("auth.cert.pkcs11.modulePath", "must be given either here or in the URI (module-path)");
    }
    if (setup::UriAttribute(pkcs11.uri, "pin-source").has_value() == !pkcs11.pin_file.empty()) {
      Fail("auth.cert.pkcs11.pinFile", "must be given either here or in the URI (pin-source)");
    }
  }

  const ConfigDocument& document_;
  const Config& config_;
  std::span<const Problem> earlier_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> CheckRelations(const ConfigDocument& document,
                                    std::span<const Problem> earlier) {
  return RelationChecker(document, earlier).Run();
}

}  // namespace baokms::supervisor
