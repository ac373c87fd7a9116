#include "supervisor/config/json_schema.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include <nlohmann/json.hpp>

#include "supervisor/config/field_rules.h"
#include "supervisor/config/load.h"
#include "supervisor/config/schema_table.h"

namespace baokms::supervisor {
namespace {

// Keeps the order in which members are added: the table's.
using Json = nlohmann::ordered_json;

constexpr std::string_view kSchemaId =
    "https://github.com/dc-tec/openbao-kubernetes-kms/config.schema.json";

void AddTextRule(const Rule& rule, Json& schema) {
  if (rule.kind == RuleKind::kOneOf) {
    for (const std::string_view choice : SplitChoices(rule.choices)) {
      schema["enum"].push_back(choice);
    }
  }
  if (const std::string_view pattern = RulePattern(rule.kind); !pattern.empty()) {
    schema["pattern"] = pattern;
  }
}

void AddRange(const Rule& rule, Json& schema) {
  if (rule.kind == RuleKind::kRange) {
    schema["minimum"] = rule.min;
    schema["maximum"] = rule.max;
  }
}

// The type of one row's value.
class TypeWriter {
 public:
  TypeWriter(const SchemaRow& row, Json& schema) : row_(row), schema_(schema) {}

  void operator()(const TextField& /*field*/) const {
    schema_["type"] = "string";
    AddTextRule(row_.rule, schema_);
    if (!row_.default_text.empty()) {
      schema_["default"] = row_.default_text;
    } else if (IsAlwaysRequired(row_.need)) {
      schema_["minLength"] = 1;
    }
  }

  void operator()(const IntField& field) const {
    schema_["type"] = "integer";
    AddRange(row_.rule, schema_);
    if (const int value = field.read(defaults_); CheckNumber(row_.rule, value) == std::nullopt) {
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

  void operator()(const TextListField& /*field*/) const {
    Json items{{"type", "string"}, {"minLength", 1}};
    AddTextRule(row_.rule, items);
    WriteList(std::move(items));
  }

  void operator()(const IdListField& /*field*/) const {
    Json items{{"type", "integer"}};
    AddRange(row_.rule, items);
    WriteList(std::move(items));
  }

  static bool IsAlwaysRequired(Need need) { return need == Need::kRequired; }

 private:
  void WriteList(Json items) const {
    schema_["type"] = "array";
    schema_["items"] = std::move(items);
    schema_["maxItems"] = kMaxListItems;
  }

  const SchemaRow& row_;
  Json& schema_;
  const Config defaults_ = DefaultConfig();
};

// Keys that have to be written: those required with any configuration and without a usable default,
// as the Go provider's schema lists them. Three with a default are listed too.
constexpr std::array<std::string_view, 20> kRequiredKeys{
    "configVersion",
    "server",
    "openbao",
    "auth",
    "transit",
    "server.socketPath",
    "server.socketMode",
    "server.socketGroup",
    "openbao.address",
    "openbao.caCertFile",
    "openbao.tlsServerName",
    "openbao.instanceId",
    "auth.method",
    "transit.mountPath",
    "transit.keyName",
    "transit.keyIdScope",
    "transit.keyIdScope.providerName",
    "transit.keyIdScope.clusterId",
    "transit.keyIdScope.transitMountId",
    "transit.keyIdScope.keyLineageId",
};

bool IsListedRequired(std::string_view key) {
  return std::find(kRequiredKeys.begin(), kRequiredKeys.end(), key) != kRequiredKeys.end();
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

// Recursion is as deep as the table: five levels.
Json SectionSchema(std::string_view section) {
  Json schema;
  if (!section.empty()) {
    schema["description"] = SectionDescription(section);
  }
  schema["type"] = "object";
  schema["additionalProperties"] = false;
  for (const std::string_view name : ChildNames(section)) {
    const std::string key = JoinKey(section, name);
    if (IsListedRequired(key)) {
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
