#include "supervisor/cli/report.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "supervisor/config/text_rules.h"

namespace baokms::supervisor {
namespace {

using Json = nlohmann::ordered_json;

std::string_view StatusName(CheckStatus status) {
  switch (status) {
    case CheckStatus::kPass:
      return "pass";
    case CheckStatus::kWarn:
      return "warn";
    case CheckStatus::kFail:
      return "fail";
    case CheckStatus::kSkip:
      return "skip";
  }
  return "fail";
}

Json ToJson(const Check& check) {
  Json json{{"id", check.id}, {"title", check.title}, {"status", StatusName(check.status)}};
  if (!check.message.empty()) {
    json["message"] = check.message;
  }
  return json;
}

}  // namespace

void Report::Add(CheckStatus status, std::string id, std::string title, std::string message) {
  checks.push_back({std::move(id), std::move(title), status, std::move(message)});
}

bool Report::Failed() const {
  return std::any_of(checks.begin(), checks.end(),
                     [](const Check& check) { return check.status == CheckStatus::kFail; });
}

std::optional<OutputFormat> ParseOutputFormat(std::string_view text) {
  std::string format(TrimSpace(text));
  for (char& c : format) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  if (format == "text") {
    return OutputFormat::kText;
  }
  return format == "json" ? std::optional(OutputFormat::kJson) : std::nullopt;
}

std::string ToString(const Report& report, OutputFormat format) {
  if (format == OutputFormat::kJson) {
    Json checks = Json::array();
    for (const Check& check : report.checks) {
      checks.push_back(ToJson(check));
    }
    const Json json{{"name", report.name}, {"checks", std::move(checks)}};
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  std::string text = report.name + "\n";
  for (const Check& check : report.checks) {
    text.append("[").append(StatusName(check.status)).append("] ").append(check.id);
    text.append(": ").append(check.title);
    if (!check.message.empty()) {
      text.append(" - ").append(check.message);
    }
    text.append("\n");
  }
  return text;
}

}  // namespace baokms::supervisor
