#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/contract/encoding.h"
#include "common/contract/limits.h"
#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/commands/state_command.h"
#include "supervisor/config/text_rules.h"
#include "supervisor/state_commands/version_commands.h"

namespace baokms::supervisor {
namespace {

constexpr Flag kBeforeVersionFlag{
    "--before-version", "N",
    "Retire all versions below this one; above 1 and at most the active version"};

int ExecuteRetireVersions(const CommandContext& context) {
  const auto version =
      contract::ParsePositiveDecimal(context.ValueOrEmpty(kBeforeVersionFlag.name));
  if (!version || *version <= 1) {
    return context.FailUsage("--before-version must be a Transit version above 1");
  }
  return RunReviewedCommand(
      context, [&version](const CommandHost& host, const ReviewedHash& reviewed) {
        return RunRetireVersions(host, {.before_version = *version, .reviewed = reviewed});
      });
}

constexpr Flag kRetireVersionsFlags[] = {kBeforeVersionFlag, kApplyFlag, kExpectedStateHashFlag,
                                         kOutputFlag};

constexpr Flag kVersionsFlag{"--versions", "LIST", "Versions to restore, such as 1,2"};

// Parses versions separated by commas, each positive and listed once.
std::optional<std::vector<std::int64_t>> ParseVersions(std::string_view text) {
  std::vector<std::int64_t> versions;
  while (true) {
    const std::size_t comma = text.find(',');
    const auto version = contract::ParsePositiveDecimal(TrimSpace(text.substr(0, comma)));
    if (!version || versions.size() == contract::kMaxKeyRecords ||
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

int ExecuteRestoreVersions(const CommandContext& context) {
  const auto versions = ParseVersions(context.ValueOrEmpty(kVersionsFlag.name));
  if (!versions) {
    return context.FailUsage("--versions must list different Transit versions, such as 1,2");
  }
  return RunReviewedCommand(
      context, [&versions](const CommandHost& host, const ReviewedHash& reviewed) {
        return RunRestoreVersions(host, {.versions = *versions, .reviewed = reviewed});
      });
}

constexpr Flag kRestoreVersionsFlags[] = {kVersionsFlag, kApplyFlag, kExpectedStateHashFlag,
                                          kOutputFlag};

}  // namespace

constinit const Command kRetireVersionsCommand{
    .name = "retire-versions",
    .help = "Retire old key versions in this node's registry; only shows a plan without --apply",
    .flags = kRetireVersionsFlags,
    .run = ExecuteRetireVersions};

constinit const Command kRestoreVersionsCommand{
    .name = "restore-versions",
    .help =
        "Restore retired key versions in this node's registry; only shows a plan without "
        "--apply",
    .flags = kRestoreVersionsFlags,
    .run = ExecuteRestoreVersions};

}  // namespace baokms::supervisor
