#include "supervisor/cli/report.h"

#include <algorithm>
#include <ostream>

#include <nlohmann/json.hpp>

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

// Configured names may hold any bytes that are UTF-8; anything else is replaced, never thrown.
void PrintJson(const Json& json, std::ostream& out) {
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
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

void Print(const Report& report, OutputFormat format, std::ostream& out) {
  if (format == OutputFormat::kJson) {
    Json checks = Json::array();
    for (const Check& check : report.checks) {
      checks.push_back(ToJson(check));
    }
    PrintJson({{"name", report.name}, {"checks", std::move(checks)}}, out);
    return;
  }
  out << report.name << "\n";
  for (const Check& check : report.checks) {
    out << "[" << StatusName(check.status) << "] " << check.id << ": " << check.title;
    if (!check.message.empty()) {
      out << " - " << check.message;
    }
    out << "\n";
  }
}

void Print(const Facts& facts, OutputFormat format, std::ostream& out) {
  if (format == OutputFormat::kJson) {
    Json json = Json::object();
    for (const auto& [key, value] : facts) {
      json[key] = value;
    }
    PrintJson(json, out);
    return;
  }
  for (const auto& [key, value] : facts) {
    out << key << ": " << value << "\n";
  }
}

}  // namespace baokms::supervisor
