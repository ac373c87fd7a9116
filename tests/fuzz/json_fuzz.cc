// Feeds any bytes to the strict JSON reader. Properties: what it accepts is one object for an
// independent reader too, cannot lose its last character, and has the values that the independent
// reader finds.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/contract/json_reader.h"
#include "tests/fuzz/require.h"

namespace {

using baokms::Require;
namespace contract = baokms::contract;

constexpr std::size_t kMaxItems = 8;

struct Document {
  std::string text;
  std::vector<std::string> items;
};

bool Read(std::string_view body, Document& document) {
  std::vector<std::string>& items = document.items;
  items.reserve(kMaxItems);
  return contract::ReadJson(
             body, {body.size(), body.size(), contract::UnknownMembers::kSkipped},
             {{"text", &document.text, contract::Presence::kOptional},
              {"items",
               contract::JsonObjects{kMaxItems,
                                     [&items]() -> std::vector<contract::JsonMember> {
                                       return {{"name", &items.emplace_back()}};
                                     }},
               contract::Presence::kOptional}})
      .has_value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  Document document;
  if (!Read(body, document)) {
    return 0;
  }
  const nlohmann::json independent = nlohmann::json::parse(body, nullptr, false);
  Require(independent.is_object(), "accepted means one object");
  Document shorter;
  Require(!Read(body.substr(0, body.find_last_not_of(" \t\r\n")), shorter),
          "accepted means complete");
  const nlohmann::json text = independent.value("text", nlohmann::json());
  Require(document.text == (text.is_string() ? text.get<std::string>() : ""), "the same text");
  const nlohmann::json items = independent.value("items", nlohmann::json());
  Require(document.items.size() == (items.is_array() ? items.size() : 0), "the same items");
  for (std::size_t i = 0; i < document.items.size(); ++i) {
    Require(items[i]["name"].get<std::string>() == document.items[i], "the same names");
  }
  return 0;
}
