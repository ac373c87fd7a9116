#include "supervisor/status/probe_failure.h"

#include <array>
#include <cstddef>

namespace baokms::supervisor {
namespace {

constexpr std::array<std::string_view, 16> kReasons = {
    "state_unavailable",    "status_stale",         "metadata_unverified",  "upsert_check_failed",
    "metadata_read_failed", "upsert_allowed",       "profile_invalid",      "version_rollback",
    "state_save_failed",    "state_publish_failed", "encryption_blocked",   "deep_probe_pending",
    "deep_probe_failed",    "deep_probe_invalid",   "circuit_breaker_open", "probe_failed"};

// Connection, TLS, DNS, time-out, 429, 5xx, sealed; and what is our own inability to ask: no
// worker, a full queue, a worker that died of it.
Severity SeverityOf(ipc::Outcome outcome) {
  switch (outcome) {
    case ipc::OUTCOME_CONNECTION_FAILED:
    case ipc::OUTCOME_TLS_FAILED:
    case ipc::OUTCOME_DNS_FAILED:
    case ipc::OUTCOME_TIMEOUT:
    case ipc::OUTCOME_RATE_LIMITED:
    case ipc::OUTCOME_UNAVAILABLE:
    case ipc::OUTCOME_SEALED:
    case ipc::OUTCOME_CANCELED:
    case ipc::OUTCOME_OVERLOADED:
    case ipc::OUTCOME_INTERNAL:
      return Severity::kTransport;
    default:
      return Severity::kDefinite;
  }
}

}  // namespace

std::string_view ToString(ProbeReason reason) {
  return kReasons.at(static_cast<std::size_t>(reason));
}

ProbeFailure CallFailure(ProbeReason reason, ipc::Outcome outcome) {
  return {.reason = reason, .outcome = outcome, .severity = SeverityOf(outcome)};
}

std::string_view ErrorClassOf(ipc::Outcome outcome) {
  switch (outcome) {
    case ipc::OUTCOME_OK:
      return "";
    case ipc::OUTCOME_INVALID_REQUEST:
      return "invalid_request";
    case ipc::OUTCOME_UNAUTHENTICATED:
      return "unauthenticated";
    case ipc::OUTCOME_PERMISSION_DENIED:
      return "permission_denied";
    case ipc::OUTCOME_NOT_FOUND:
      return "not_found";
    case ipc::OUTCOME_DECRYPT_FAILED:
      return "decrypt_failed";
    case ipc::OUTCOME_RATE_LIMITED:
      return "rate_limited";
    case ipc::OUTCOME_SEALED:
      return "sealed";
    case ipc::OUTCOME_UNAVAILABLE:
    case ipc::OUTCOME_OVERLOADED:
      return "unavailable";
    case ipc::OUTCOME_TLS_FAILED:
      return "tls_failed";
    case ipc::OUTCOME_DNS_FAILED:
      return "dns_failed";
    case ipc::OUTCOME_CONNECTION_FAILED:
      return "connection_failed";
    case ipc::OUTCOME_CANCELED:
      return "canceled";
    case ipc::OUTCOME_TIMEOUT:
      return "timeout";
    case ipc::OUTCOME_AUTH_FAILED:
      return "auth_failed";
    default:
      return "unknown";
  }
}

}  // namespace baokms::supervisor
