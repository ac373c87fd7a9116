#include "supervisor/cli/state_flags.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "common/contract/encoding.h"
#include "common/contract/limits.h"
#include "supervisor/config/text_rules.h"

namespace baokms::supervisor {
namespace {

using ReviewedOrError = std::variant<ReviewedHash, UsageError>;

// --apply and --expected-state-hash go together.
ReviewedOrError ParseReviewed(const StateFlags& flags) {
  if (!flags.apply) {
    return flags.expected_state_hash.has_value()
               ? ReviewedOrError(UsageError{"--expected-state-hash needs --apply"})
               : ReviewedOrError(ReviewedHash());
  }
  if (!flags.expected_state_hash.has_value()) {
    return UsageError{"--apply needs --expected-state-hash with the hash of the reviewed plan"};
  }
  const auto hash = contract::StateHash::Parse(*flags.expected_state_hash);
  if (!hash.has_value()) {
    return UsageError{"--expected-state-hash must be a state hash (krs1. and 43 characters)"};
  }
  return ReviewedHash(*hash);
}

// Calls `make` with the reviewed hash, if the flags are in order.
template <typename Make>
StateTaskOrError WithReviewed(const StateFlags& flags, Make make) {
  ReviewedOrError reviewed = ParseReviewed(flags);
  if (auto* error = std::get_if<UsageError>(&reviewed)) {
    return std::move(*error);
  }
  return make(std::get<ReviewedHash>(reviewed));
}

// Versions separated by commas, each positive and there once.
std::optional<std::vector<std::int64_t>> ParseVersions(std::string_view text) {
  std::vector<std::int64_t> versions;
  while (true) {
    const std::size_t comma = text.find(',');
    const auto version = contract::ParsePositiveDecimal(TrimSpace(text.substr(0, comma)));
    if (!version.has_value() || versions.size() == contract::kMaxKeyRecords ||
        std::ranges::find(versions, *version) != versions.end()) {
      return std::nullopt;
    }
    versions.push_back(*version);
    if (comma == std::string_view::npos) {
      return versions;
    }
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

StateTaskOrError ParseRetire(const StateFlags& flags) {
  const auto version = contract::ParsePositiveDecimal(flags.before_version.value_or(""));
  if (!version.has_value() || *version <= 1) {
    return UsageError{"--before-version must be a Transit version above 1"};
  }
  return WithReviewed(flags, [&version](const ReviewedHash& reviewed) {
    return StateTask(RetireOptions{.before_version = *version, .reviewed = reviewed});
  });
}

StateTaskOrError ParseRestore(const StateFlags& flags) {
  auto versions = ParseVersions(flags.versions.value_or(""));
  if (!versions.has_value()) {
    return UsageError{"--versions must be different Transit versions, such as 1,2"};
  }
  return WithReviewed(flags, [&versions](const ReviewedHash& reviewed) {
    return StateTask(RestoreOptions{.versions = *std::move(versions), .reviewed = reviewed});
  });
}

StateTaskOrError ParseRecover(const StateFlags& flags) {
  const std::string expected = flags.expected_active_key_id_hash.value_or("");
  if (flags.expected_active_key_id_hash.has_value() && !contract::IsEncodedDigest(expected)) {
    return UsageError{"--expected-active-key-id-hash must be a key ID hash (43 characters)"};
  }
  if (flags.output_file.has_value() && flags.output_file->empty()) {
    return UsageError{"--output-file must not be empty"};
  }
  return WithReviewed(flags, [&](const ReviewedHash& reviewed) {
    return StateTask(
        RecoverTask{.options = {.expected_active_key_id_hash = expected, .reviewed = reviewed},
                    .report_file = flags.output_file.value_or("")});
  });
}

StateTaskOrError ParseMigrate(const StateFlags& flags) {
  return WithReviewed(flags, [](const ReviewedHash& reviewed) {
    return StateTask(MigrateOptions{.reviewed = reviewed});
  });
}

StateTaskOrError ParseExport(const StateFlags& flags) {
  if (flags.output_file.value_or("").empty()) {
    return UsageError{"--output-file is required"};
  }
  return StateTask(ExportOptions{.output_file = *flags.output_file});
}

StateTaskOrError ParseImport(const StateFlags& flags) {
  if (flags.input_file.value_or("").empty()) {
    return UsageError{"--input-file is required"};
  }
  return WithReviewed(flags, [&flags](const ReviewedHash& reviewed) {
    return StateTask(ImportOptions{.input_file = *flags.input_file, .reviewed = reviewed});
  });
}

}  // namespace baokms::supervisor
