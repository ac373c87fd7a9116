#include "supervisor/state_commands/rotation_report.h"

#include <array>
#include <chrono>
#include <ctime>
#include <optional>
#include <utility>

#include "common/contract/encoding.h"
#include "common/contract/registry_transition.h"
#include "supervisor/status/finding_text.h"

namespace baokms::supervisor {
namespace {

using contract::KeyRecord;
using contract::RegistryState;
using contract::TransitKeyMetadata;

// How a node without any state could create its first one.
struct Bootstrap {
  std::optional<RegistryState> first{};
  std::string reason{};
};

std::string BootstrapReason(const TransitKeyMetadata& metadata) {
  if (metadata.latest_version != 1) {
    return "latest_version=" + std::to_string(metadata.latest_version);
  }
  if (metadata.min_decryption_version > 1) {
    return "min_decryption_version=" + std::to_string(metadata.min_decryption_version);
  }
  if (metadata.min_available_version > 1) {
    return "min_available_version=" + std::to_string(metadata.min_available_version);
  }
  return "";
}

Bootstrap CheckBootstrap(const RotationInputs& inputs) {
  if (!inputs.live.metadata) {
    return {.reason = "transit metadata unavailable"};
  }
  const TransitKeyMetadata& metadata = *inputs.live.metadata;
  if (std::string reason = BootstrapReason(metadata); !reason.empty()) {
    return {.reason = std::move(reason)};
  }
  if (!IsProfileValid(metadata)) {
    return {.reason = DescribeProfile(metadata)};
  }
  auto first = contract::BuildFirstState(inputs.identity, metadata, inputs.now_unix);
  if (!first) {
    return {.reason = std::string(first.error().what())};
  }
  return {.first = std::move(first).value(), .reason = "unrotated key"};
}

void AddState(CommandReport& report, const LocalRegistry& local) {
  report.Add("stateLoaded", local.state.has_value());
  if (local.state) {
    report.Add("stateGeneration", local.state->contents().generation);
    report.Add("stateHash", std::string(local.state->current_hash().text()));
  }
  report.Add("stateCheckpointLoaded", local.checkpoint.has_value());
  report.AddUnlessEmpty("stateCheckpointStatus", std::string(CheckpointStatus(local)));
  if (local.checkpoint) {
    report.Add("stateCheckpointGeneration", local.checkpoint->generation);
    report.Add("stateCheckpointHash", std::string(local.checkpoint->current_hash.text()));
  }
}

void AddBootstrap(CommandReport& report, const Bootstrap& bootstrap) {
  report.AddUnlessEmpty("stateBootstrapEligible", bootstrap.first.has_value());
  report.AddUnlessEmpty("stateBootstrapReason", bootstrap.reason);
}

void AddActive(CommandReport& report, const KeyRecord& active) {
  report.Add("activeKeyIdHash", KeyIdHash(active));
  report.Add("activeTransitVersion", active.version.number);
}

void AddPending(CommandReport& report, const KeyRecord& pending, const RotationPolicy& policy) {
  report.Add("pendingKeyIdHash", KeyIdHash(pending));
  report.Add("pendingTransitVersion", pending.version.number);
  report.AddUnlessEmpty("pendingStableObservationCount", pending.stable_observation_count);
  if (pending.stable_at_unix != 0) {
    const auto delay = std::chrono::ceil<std::chrono::seconds>(policy.activation_delay);
    report.Add("pendingPromotesAfter", UtcText(pending.stable_at_unix + delay.count()));
  }
}

// Returns the registry as the provider's next probe would leave it.
RegistryState AfterNextProbe(const RegistryState& state, const RotationInputs& inputs) {
  if (!inputs.live.metadata) {
    return state;
  }
  const Observation observation = Observe(state, *inputs.live.metadata, inputs.identity,
                                          inputs.policy, Counting::kDoesNotCount, inputs.now_unix);
  return observation.next.value_or(state);
}

void AddRotation(CommandReport& report, const RegistryState* state, const RotationInputs& inputs) {
  if (state != nullptr) {
    AddActive(report, state->active());
  }
  if (inputs.live.metadata) {
    report.AddUnlessEmpty("latestTransitVersion", inputs.live.metadata->latest_version);
  }
  if (state == nullptr) {
    report.Add("rotationState", "unknown");
    return;
  }
  const RegistryState expected = AfterNextProbe(*state, inputs);
  const KeyRecord* pending = PendingOf(expected);
  report.Add("rotationState", pending == nullptr ? "active" : "pending");
  if (pending != nullptr) {
    AddPending(report, *pending, inputs.policy);
  }
}

std::string FindFailure(const RotationInputs& inputs,
                        const RegistryState* state,
                        const Bootstrap& bootstrap) {
  if (inputs.local.problem) {
    return Describe(*inputs.local.problem);
  }
  if (!inputs.live.metadata) {
    return WhyUnknown(inputs.live);
  }
  if (state == nullptr) {
    return "local registry state is absent and cannot be auto-bootstrapped: " + bootstrap.reason;
  }
  return FindLiveProblem(*state, *inputs.live.metadata, inputs.identity, inputs.now_unix);
}

}  // namespace

CommandResult ReportRotation(std::string name, const RotationInputs& inputs) {
  CommandReport report(std::move(name));
  report.Add("transitMetadataStatus", inputs.live.metadata ? "pass" : "fail");
  report.AddUnlessEmpty("transitMetadataError", inputs.live.failure);
  AddState(report, inputs.local);
  Bootstrap bootstrap;
  const RegistryState* state = inputs.local.state ? &*inputs.local.state : nullptr;
  if (inputs.local.IsAbsent()) {
    bootstrap = CheckBootstrap(inputs);
    AddBootstrap(report, bootstrap);
    state = bootstrap.first ? &*bootstrap.first : nullptr;
  }
  AddRotation(report, state, inputs);
  std::string failure = FindFailure(inputs, state, bootstrap);
  return {.report = std::move(report), .failure = std::move(failure)};
}

std::string FindLiveProblem(const RegistryState& state,
                            const TransitKeyMetadata& metadata,
                            const contract::ConfigIdentity& identity,
                            std::int64_t now_unix) {
  const Observation observation =
      Observe(state, metadata, identity, {}, Counting::kDoesNotCount, now_unix);
  return observation.failure ? DescribeFinding(*observation.failure, state, metadata) : "";
}

std::string UtcText(std::int64_t unix_seconds) {
  const auto seconds = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  std::array<char, 64> text{};
  if (::gmtime_r(&seconds, &parts) == nullptr) {
    return "";
  }
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

std::string KeyIdHash(const KeyRecord& record) {
  return contract::HashText(record.key_id.text());
}

}  // namespace baokms::supervisor
