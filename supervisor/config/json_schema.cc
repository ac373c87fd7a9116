#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <nlohmann/json.hpp>

#include "supervisor/config/conditions.h"
#include "supervisor/config/load.h"
#include "supervisor/config/reference.h"
#include "supervisor/config/rules.h"
#include "supervisor/config/schema_table.h"

namespace baokms::supervisor {
namespace {

// Keeps the order in which members are added, which is that of the table.
using Json = nlohmann::ordered_json;

constexpr std::string_view kSchemaId =
    "https://github.com/dc-tec/openbao-kubernetes-kms/config.schema.json";

void AddPattern(const TextRule& rule, Json& schema) {
  if (!rule.pattern.empty()) {
    schema["pattern"] = rule.pattern;
  }
}

void AddRange(const NumberRule& rule, Json& schema) {
  schema["minimum"] = rule.min;
  schema["maximum"] = rule.max;
}

// Writes the type of one row's value.
class TypeWriter {
 public:
  TypeWriter(const SchemaRow& row, Json& schema) : row_(row), schema_(schema) {}

  void operator()(const TextField& field) const {
    schema_["type"] = "string";
    AddPattern(*field.rule, schema_);
    if (!row_.default_text.empty()) {
      schema_["default"] = row_.default_text;
    } else if (row_.need.required == &kAlways) {
      schema_["minLength"] = 1;
    }
  }

  void operator()(const ChoiceField& field) const {
    schema_["type"] = "string";
    schema_["enum"] = field.words();
    if (!row_.default_text.empty()) {
      schema_["default"] = row_.default_text;
    }
  }

  void operator()(const IntField& field) const {
    schema_["type"] = "integer";
    AddRange(field.rule, schema_);
    if (const int value = field.read(defaults_); CheckRange(field.rule, value) == std::nullopt) {
      schema_["default"] = value;
    }
  }

  void operator()(const BoolField& field) const {
    schema_["type"] = "boolean";
    schema_["default"] = field.read(defaults_);
  }

  void operator()(const DurationField& /*field*/) const {
    schema_["type"] = "string";
    schema_["default"] = row_.default_text;
  }

  void operator()(const TextListField& field) const {
    Json items{{"type", "string"}, {"minLength", 1}};
    AddPattern(*field.rule, items);
    WriteList(std::move(items), field.max_items);
  }

  void operator()(const IdListField& field) const {
    Json items{{"type", "integer"}};
    AddRange(field.rule, items);
    WriteList(std::move(items), kMaxListItems);
  }

 private:
  void WriteList(Json items, std::size_t max) const {
    schema_["type"] = "array";
    schema_["items"] = std::move(items);
    schema_["maxItems"] = max;
  }

  const SchemaRow& row_;
  Json& schema_;
  const Config defaults_ = DefaultConfig();
};

// Returns whether the schema requires the key: the listed keys, and every section that contains
// one.
bool IsListed(std::string_view key) {
  if (const SchemaRow* row = FindSchemaRow(key)) {
    return row->need.listed;
  }
  return std::ranges::any_of(ChildNames(key),
                             [key](std::string_view name) { return IsListed(JoinKey(key, name)); });
}

Json SectionSchema(std::string_view section);

Json KeySchema(std::string_view key) {
  const SchemaRow* row = FindSchemaRow(key);
  if (row == nullptr) {
    return SectionSchema(key);
  }
  Json schema;
  schema["description"] = row->description;
  std::visit(TypeWriter(*row, schema), row->field);
  return schema;
}

// The recursion is as deep as the table: five levels.
Json SectionSchema(std::string_view section) {
  Json schema;
  if (!section.empty()) {
    schema["description"] = SectionDescription(section);
  }
  schema["type"] = "object";
  schema["additionalProperties"] = false;
  for (const std::string_view name : ChildNames(section)) {
    const std::string key = JoinKey(section, name);
    if (IsListed(key)) {
      schema["required"].push_back(name);
    }
  }
  for (const std::string_view name : ChildNames(section)) {
    schema["properties"][std::string(name)] = KeySchema(JoinKey(section, name));
  }
  return schema;
}

}  // namespace

std::string JsonSchema() {
  Json schema;
  schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  schema["$id"] = kSchemaId;
  schema["title"] = SectionDescription("");
  schema.update(SectionSchema(""));
  return schema.dump(2) + "\n";
}

}  // namespace baokms::supervisor
