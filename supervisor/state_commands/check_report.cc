#include "supervisor/state_commands/check_report.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

namespace baokms::supervisor {
namespace {

using Json = nlohmann::ordered_json;

std::string_view StatusName(CheckStatus status) {
  constexpr std::array<std::string_view, 4> kNames = {"pass", "warn", "fail", "skip"};
  return kNames.at(static_cast<std::size_t>(status));
}

Json ToJson(const Check& check) {
  Json json{{"id", check.id}, {"title", check.title}, {"status", StatusName(check.status)}};
  if (!check.message.empty()) {
    json["message"] = check.message;
  }
  return json;
}

}  // namespace

void CheckReport::Add(CheckStatus status, std::string id, std::string title, std::string message) {
  checks.push_back({std::move(id), std::move(title), status, std::move(message)});
}

bool CheckReport::Failed() const {
  return std::ranges::any_of(checks,
                             [](const Check& check) { return check.status == CheckStatus::kFail; });
}

std::string ToString(const CheckReport& report, OutputFormat format) {
  if (format == OutputFormat::kJson) {
    Json json{{"name", report.name}, {"checks", Json::array()}};
    for (const Check& check : report.checks) {
      json["checks"].push_back(ToJson(check));
    }
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  std::string text = report.name + "\n";
  for (const Check& check : report.checks) {
    text.append("[").append(StatusName(check.status)).append("] ").append(check.id);
    text.append(": ").append(check.title);
    text.append(check.message.empty() ? "" : " - ").append(check.message).append("\n");
  }
  return text;
}

}  // namespace baokms::supervisor
