#include "supervisor/cli/probe_report.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include <nlohmann/json.hpp>

namespace baokms::supervisor {
namespace {

using Json = nlohmann::ordered_json;

std::string_view StatusName(CheckStatus status) {
  constexpr std::array<std::string_view, 3> kNames = {"pass", "warn", "fail"};
  return kNames.at(static_cast<std::size_t>(status));
}

}  // namespace

void ProbeReport::Add(CheckStatus status, std::string id, std::string title, std::string message) {
  checks.push_back({std::move(id), std::move(title), status, std::move(message)});
}

bool ProbeReport::Failed() const {
  return std::any_of(checks.begin(), checks.end(),
                     [](const Check& check) { return check.status == CheckStatus::kFail; });
}

std::string ToString(const ProbeReport& report, OutputFormat format) {
  if (format == OutputFormat::kJson) {
    Json json{{"name", "probe"}, {"checks", Json::array()}};
    for (const Check& check : report.checks) {
      json["checks"].push_back({{"id", check.id},
                                {"title", check.title},
                                {"status", StatusName(check.status)},
                                {"message", check.message}});
    }
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  std::string text = "probe\n";
  for (const Check& check : report.checks) {
    text.append("[").append(StatusName(check.status)).append("] ").append(check.id);
    text.append(": ").append(check.title).append(" - ").append(check.message).append("\n");
  }
  return text;
}

}  // namespace baokms::supervisor
