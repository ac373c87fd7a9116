#include "supervisor/state_commands/command_report.h"

#include <nlohmann/json.hpp>

namespace baokms::supervisor {
namespace {

using Json = nlohmann::ordered_json;

bool IsEmpty(const FactValue& value) {
  return value == FactValue(std::string()) || value == FactValue(std::int64_t{0}) ||
         value == FactValue(std::uint64_t{0}) || value == FactValue(false);
}

std::string TextOf(const FactValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return *text;
  }
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    return std::to_string(*number);
  }
  if (const auto* number = std::get_if<std::uint64_t>(&value)) {
    return std::to_string(*number);
  }
  return std::get<bool>(value) ? "true" : "false";
}

Json JsonOf(const FactValue& value) {
  return std::visit([](const auto& held) { return Json(held); }, value);
}

std::string TextOf(const std::vector<std::int64_t>& numbers) {
  std::string text;
  for (const std::int64_t number : numbers) {
    text.append(text.empty() ? "" : ",").append(std::to_string(number));
  }
  return text;
}

void AppendLine(std::string& text, std::string_view key, std::string_view value) {
  text.append(key).append(": ").append(value).append("\n");
}

void AppendRow(std::string& text, std::string_view word, const FactRow& row) {
  std::string fields;
  for (const auto& [key, value] : row) {
    fields.append(fields.empty() ? "" : " ").append(key).append("=").append(TextOf(value));
  }
  AppendLine(text, word, fields);
}

Json JsonOf(const std::vector<FactRow>& rows) {
  Json list = Json::array();
  for (const FactRow& row : rows) {
    Json object = Json::object();
    for (const auto& [key, value] : row) {
      object[key] = JsonOf(value);
    }
    list.push_back(std::move(object));
  }
  return list;
}

}  // namespace

void CommandReport::Add(std::string key, FactValue value) {
  members_.emplace_back(std::move(key), std::move(value));
}

void CommandReport::AddUnlessEmpty(std::string key, FactValue value) {
  if (!IsEmpty(value)) {
    Add(std::move(key), std::move(value));
  }
}

void CommandReport::AddRows(std::string key, std::string word, std::vector<FactRow> rows) {
  members_.emplace_back(std::move(key), Rows{std::move(word), std::move(rows)});
}

void CommandReport::AddNumbers(std::string key, std::vector<std::int64_t> numbers) {
  members_.emplace_back(std::move(key), std::move(numbers));
}

std::string CommandReport::ToText() const {
  std::string text = name_.empty() ? "" : name_ + "\n";
  for (const auto& [key, member] : members_) {
    if (const auto* value = std::get_if<FactValue>(&member)) {
      AppendLine(text, key, TextOf(*value));
    } else if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(&member)) {
      AppendLine(text, key, TextOf(*numbers));
    } else {
      const Rows& rows = std::get<Rows>(member);
      for (const FactRow& row : rows.rows) {
        AppendRow(text, rows.word, row);
      }
    }
  }
  return text;
}

std::string CommandReport::ToJson() const {
  Json json = Json::object();
  if (!name_.empty()) {
    json["name"] = name_;
  }
  for (const auto& [key, member] : members_) {
    if (const auto* value = std::get_if<FactValue>(&member)) {
      json[key] = JsonOf(*value);
    } else if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(&member)) {
      json[key] = *numbers;
    } else {
      json[key] = JsonOf(std::get<Rows>(member).rows);
    }
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string CannotSentence(std::string_view what, const Error& error) {
  return std::string("cannot ").append(what).append(": ") + error.Describe();
}

}  // namespace baokms::supervisor
