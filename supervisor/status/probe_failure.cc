#include "supervisor/status/probe_failure.h"

#include <array>
#include <cstddef>

#include "supervisor/observe/label_names.h"

namespace baokms::supervisor {
namespace {

constexpr std::array<std::string_view, 16> kReasons = {
    "state_unavailable",    "status_stale",         "metadata_unverified",  "upsert_check_failed",
    "metadata_read_failed", "upsert_allowed",       "profile_invalid",      "version_rollback",
    "state_save_failed",    "state_publish_failed", "encryption_blocked",   "deep_probe_pending",
    "deep_probe_failed",    "deep_probe_invalid",   "circuit_breaker_open", "probe_failed"};

// Transport failures are connection, TLS, DNS, timeout, 429, 5xx and sealed, and also the
// supervisor's own inability to ask: no worker, a full queue, a worker that crashed.
Severity SeverityOf(ipc::Outcome outcome) {
  switch (outcome) {
    case ipc::OUTCOME_CONNECTION_FAILED:
    case ipc::OUTCOME_TLS_FAILED:
    case ipc::OUTCOME_DNS_FAILED:
    case ipc::OUTCOME_TIMEOUT:
    case ipc::OUTCOME_LOGIN_TIMEOUT:
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

bool IsAboutKey(const ProbeFailure& failure) {
  switch (failure.outcome) {
    case ipc::OUTCOME_UNAUTHENTICATED:
    case ipc::OUTCOME_PERMISSION_DENIED:
    case ipc::OUTCOME_AUTH_FAILED:
    case ipc::OUTCOME_LOGIN_BUDGET:
      return false;
    default:
      return failure.severity == Severity::kDefinite;
  }
}

std::string_view ErrorClassOf(ipc::Outcome outcome) {
  return outcome == ipc::OUTCOME_OK ? std::string_view() : OutcomeLabel(outcome);
}

}  // namespace baokms::supervisor
