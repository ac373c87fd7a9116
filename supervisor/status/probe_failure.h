// Why a probe failed: the readiness reason, the class of the cause, and whether the failure is
// definite evidence about the key or only a failed attempt to read it
// (docs/contract.md#probes-and-health).

#pragma once

#include <cstdint>
#include <string_view>

#include "proto/ipc.pb.h"

namespace baokms::supervisor {

// The codes that /ready and the log show, in the order in which they are shown.
enum class ProbeReason : std::uint8_t {
  kStateUnavailable,
  kStatusStale,
  kMetadataUnverified,
  kUpsertCheckFailed,
  kMetadataReadFailed,
  kUpsertAllowed,
  kProfileInvalid,
  kVersionRollback,
  kStateSaveFailed,
  kStatePublishFailed,
  kEncryptionBlocked,
  kDeepProbePending,
  kDeepProbeFailed,
  kDeepProbeInvalid,
  kCircuitBreakerOpen,
  kProbeFailed,
};

// Returns the code as text: "state_unavailable", ... (docs/observability.md#health).
std::string_view ToString(ProbeReason reason);

enum class Severity : std::uint8_t {
  kTransport,  // the last good Status is kept until it is stale
  kDefinite,   // changes Status immediately
};

struct ProbeFailure {
  ProbeReason reason = ProbeReason::kProbeFailed;
  ipc::Outcome outcome = ipc::OUTCOME_OK;  // OK: the failure is not the outcome of a call
  Severity severity = Severity::kDefinite;

  friend bool operator==(const ProbeFailure&, const ProbeFailure&) = default;
};

// Returns the failure of a call. Its severity follows from the outcome, which must not be OK.
ProbeFailure CallFailure(ProbeReason reason, ipc::Outcome outcome);

// Returns whether the failure says something about the key. What keeps a worker from reaching
// OpenBao, or OpenBao from accepting its token, says nothing once another worker succeeds.
[[nodiscard]] bool IsAboutKey(const ProbeFailure& failure);

// Returns the unprefixed class that probe logs and /ready use: "sealed", "timeout", "auth_failed",
// ... Empty for OK.
std::string_view ErrorClassOf(ipc::Outcome outcome);

}  // namespace baokms::supervisor
