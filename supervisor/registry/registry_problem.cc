#include "supervisor/registry/registry_problem.h"

#include <array>
#include <cstddef>
#include <string_view>

namespace baokms::supervisor {
namespace {

struct Words {
  std::string_view what;
  std::string_view remedy;
};

constexpr std::array<Words, 5> kWords = {{
    {"cannot be read",
     "check owner and mode (directory without write access for group and others, files 0640 or "
     "less, no symbolic links)"},
    {"is corrupt",
     "run import-state with the registry of a healthy node, or restore the state file and its "
     "checkpoint together from one backup"},
    {"does not fit its checkpoint (missing, older or unrelated state)",
     "run import-state with the registry of a healthy node, or restore the state file and its "
     "checkpoint together from the newest backup, or run recover-state; never delete the "
     "checkpoint "
     "to get past this"},
    {"was written for another identity",
     "check provider name, cluster id, instance id, namespace, mount and key in the configuration, "
     "or point state.path to this node's own directory"},
    {"could not be brought up to date", "check free space and that the directory may be written"},
}};

}  // namespace

std::string DescribeIdentities(const contract::RegistryState& state,
                               const contract::ConfigIdentity& identity) {
  std::string text = "file ";
  text.append(state.contents().identity_fingerprint.text());
  if (const auto configured = contract::Fingerprint(identity)) {
    text.append(", configuration ").append(configured->text());
  }
  return text;
}

std::string Describe(const RegistryProblem& problem) {
  const Words& words = kWords.at(static_cast<std::size_t>(problem.fault));
  std::string text = "key registry ";
  text.append(problem.path).append(" ").append(words.what);
  if (problem.detail.empty()) {
    text.append(": ").append(problem.cause.Describe());
  } else {
    text.append(" (").append(problem.detail).append(")");
  }
  return text.append("; ").append(words.remedy);
}

}  // namespace baokms::supervisor
