#include "supervisor/status/finding_text.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/contract/limits.h"

namespace baokms::supervisor {
namespace {

using contract::KeyRecord;
using contract::RegistryState;
using contract::TransitKeyMetadata;

constexpr std::string_view kMakeRoom =
    "Make room on every node: retire the old versions, raise min_decryption_version, and rebuild "
    "the "
    "registry with recover-state (\"The registry fills up\" in the rotation guide)";

using std::to_string;

std::string DescribeRollback(const RegistryState& state, const TransitKeyMetadata& metadata) {
  return "OpenBao shows version " + to_string(metadata.latest_version) +
         " of the key as its latest, but this node has used version " +
         to_string(state.active().version.number) +
         ": OpenBao was restored from a snapshot older than the rotation, or another OpenBao "
         "answers; restore a newer snapshot or correct openbao.address. Versions that OpenBao "
         "still has go on decrypting";
}

std::string DescribeUnusable(const KeyRecord& record, const TransitKeyMetadata& metadata) {
  const std::int64_t version = record.version.number;
  const std::string which = "version " + to_string(version);
  if (version < metadata.min_decryption_version) {
    return which + " is retained here but min_decryption_version is " +
           to_string(metadata.min_decryption_version) +
           ": lower it, or run retire-versions on every node when no data needs the version";
  }
  if (version < metadata.min_available_version) {
    return which + " is retained here but OpenBao has trimmed it (min_available_version is " +
           to_string(metadata.min_available_version) +
           "): run retire-versions on every node if no data needs the version";
  }
  if (!contract::CreationTime(metadata, version)) {
    return which + " is retained here but OpenBao does not show it (latest version " +
           to_string(metadata.latest_version) +
           "): a replica is behind, or OpenBao was restored from an older snapshot";
  }
  return which +
         " was created at another time than the one this node used: it is another key. The key was "
         "created anew, or OpenBao was restored from an older snapshot and rotated again";
}

std::string DescribeKeys(const RegistryState& state, const TransitKeyMetadata& metadata) {
  if (const KeyRecord* record = FindUnusable(state, metadata)) {
    return DescribeUnusable(*record, metadata);
  }
  return "OpenBao shows no creation time for a version between the active one and version " +
         to_string(metadata.latest_version);
}

}  // namespace

std::string DescribeProfile(const TransitKeyMetadata& metadata) {
  const Status bounds = contract::CheckVersionBounds(metadata);
  if (!bounds) {
    return std::string(bounds.error().what());
  }
  const std::vector<contract::ProfileFinding> findings = contract::FindProfileProblems(metadata);
  if (!findings.empty()) {
    return contract::FormatFindings(findings);
  }
  const Status entries = contract::CheckVersionEntries(metadata);
  return entries ? "" : std::string(entries.error().what());
}

std::string DescribeFinding(RotationFailure failure,
                            const RegistryState& state,
                            const TransitKeyMetadata& metadata) {
  switch (failure) {
    case RotationFailure::kProfileInvalid:
      return DescribeProfile(metadata);
    case RotationFailure::kVersionRollback:
      return DescribeRollback(state, metadata);
    case RotationFailure::kKeyUnusable:
      return DescribeKeys(state, metadata);
    case RotationFailure::kStateForeign:
      return "the registry was written for another identity";
    case RotationFailure::kRegistryFull:
      return "the registry is full with " + to_string(state.contents().records.size()) +
             " key versions: version " + to_string(metadata.latest_version) +
             " is not used here, and version " + to_string(state.active().version.number) +
             " stays in use. " + std::string(kMakeRoom);
    case RotationFailure::kStateInvalid:
      return "no valid registry would follow from version " + to_string(metadata.latest_version) +
             ": the latest version was removed here, or the system clock is before 1970";
  }
  return "";
}

std::string DescribeMissingState(const TransitKeyMetadata& metadata) {
  if (metadata.latest_version == 1) {
    return "there is no registry, and none can be made while version 1 may not decrypt or the "
           "system clock is before 1970";
  }
  return "there is no registry, but the key was rotated (latest version " +
         to_string(metadata.latest_version) +
         "): import the registry of a healthy node, restore state and checkpoint from a backup, or "
         "run recover-state";
}

std::string DescribeFilling(const RegistryState& state) {
  const std::size_t records = state.contents().records.size();
  if (records < contract::kManyKeyRecords) {
    return "";
  }
  return "the registry holds " + to_string(records) + " of at most " +
         to_string(contract::kMaxKeyRecords) +
         " key versions; once it is full, new versions are not used. " + std::string(kMakeRoom);
}

std::string DescribeBlockedEncryption(const RegistryState& state,
                                      const TransitKeyMetadata& metadata) {
  return "min_encryption_version is " + to_string(metadata.min_encryption_version) +
         ", above the active version " + to_string(state.active().version.number) +
         ": nothing is encrypted until the new version was promoted; decryption goes on";
}

}  // namespace baokms::supervisor
