#include "supervisor/config/decode.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "supervisor/config/closest_name.h"
#include "supervisor/config/duration_text.h"
#include "supervisor/config/number_text.h"
#include "supervisor/config/schema_table.h"
#include "supervisor/config/text_rules.h"

namespace baokms::supervisor {
namespace {

// Returns the text of a scalar that Go's YAML reader would accept as a string.
std::optional<std::string_view> AsText(const YamlNode& node) {
  const bool quoted = node.kind == YamlKind::kQuoted;
  const bool plain = node.kind == YamlKind::kPlain && ResolvePlain(node.text) == PlainType::kString;
  return quoted || plain ? std::optional<std::string_view>(node.text) : std::nullopt;
}

std::optional<std::int64_t> AsWholeNumber(const YamlNode& node) {
  if (node.kind != YamlKind::kPlain || ResolvePlain(node.text) != PlainType::kInt) {
    return std::nullopt;
  }
  std::string digits = node.text;
  digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
  // A number beyond 64 bits is out of every range, so the largest one that fits stands for it.
  return ParseWholeNumber(digits).value_or(std::numeric_limits<std::int64_t>::max());
}

std::string TypeMessage(const YamlNode& node, std::string_view wanted) {
  std::string message = "must be ";
  message.append(wanted);
  if (node.kind == YamlKind::kNull) {
    return "the key is present but has no value; " + message;
  }
  return message;
}

// Reads one key's value. Keeps the first problem with it.
class ValueReader {
 public:
  ValueReader(const SchemaRow& row, const YamlNode& node, ConfigDocument& document)
      : row_(row), node_(node), document_(document) {}

  std::vector<Problem> Read() {
    std::visit([this](const auto& field) { this->Store(field); }, row_.field);
    return std::move(problems_);
  }

 private:
  void Store(const TextField& field) {
    if (const auto text = TakeText(node_, row_.key)) {
      field.write(document_.config) = std::string(*text);
    }
  }

  void Store(const IntField& field) {
    const auto number = AsWholeNumber(node_);
    if (!number) {
      Fail(row_.key, TypeMessage(node_, "a whole number"));
    } else if (*number < std::numeric_limits<int>::min() ||
               *number > std::numeric_limits<int>::max()) {
      Fail(row_.key, "is out of range");
    } else {
      field.write(document_.config) = static_cast<int>(*number);
    }
  }

  void Store(const BoolField& field) {
    if (node_.kind != YamlKind::kPlain || ResolvePlain(node_.text) != PlainType::kBool) {
      Fail(row_.key, TypeMessage(node_, "true or false"));
      return;
    }
    field.write(document_.config) = node_.text.front() == 't' || node_.text.front() == 'T';
  }

  void Store(const DurationField& field) {
    const auto text = AsText(node_);
    const auto value =
        text.has_value() ? ParseDuration(*text) : Error(ErrorCode::kInvalidArgument, "no text");
    if (!value) {
      Fail(row_.key,
           std::string(row_.key) + " must be a duration string with units, such as 30s or 0s");
      return;
    }
    field.write(document_.config) = *value;
  }

  void Store(const ChoiceField& field) {
    if (const auto text = TakeText(node_, row_.key)) {
      if (!field.write(document_.config, *text)) {
        document_.refused_words[std::string(row_.key)] = std::string(*text);
      }
    }
  }

  void Store(const TextListField& field) {
    std::vector<std::string> list;
    for (const Item& item : Items(field.max_items)) {
      if (const auto text = TakeText(item.node, item.key)) {
        list.emplace_back(*text);
      }
    }
    field.write(document_.config) = std::move(list);
  }

  void Store(const IdListField& field) {
    std::vector<std::uint32_t> list;
    for (const Item& item : Items(kMaxListItems)) {
      const auto number = AsWholeNumber(item.node);
      if (!number) {
        Fail(item.key, TypeMessage(item.node, "a whole number"));
      } else if (*number < field.rule.min || *number > field.rule.max) {
        Fail(item.key, "is out of range");
      } else {
        list.push_back(static_cast<std::uint32_t>(*number));
      }
    }
    field.write(document_.config) = std::move(list);
  }

  struct Item {
    std::string key;
    const YamlNode& node;
  };

  std::vector<Item> Items(std::size_t max) {
    std::vector<Item> items;
    if (node_.kind != YamlKind::kList) {
      Fail(row_.key, TypeMessage(node_, "a list"));
      return items;
    }
    if (node_.children.size() > max) {
      Fail(row_.key, "must not have more than " + std::to_string(max) + " entries");
      return items;
    }
    for (std::size_t i = 0; i < node_.children.size(); ++i) {
      items.push_back({std::string(row_.key) + "[" + std::to_string(i) + "]", node_.children[i]});
      document_.origins[items.back().key] = {document_.path, node_.children[i].where};
    }
    return items;
  }

  std::optional<std::string_view> TakeText(const YamlNode& node, std::string_view key) {
    const auto text = AsText(node);
    if (!text) {
      const bool scalar = node.kind == YamlKind::kPlain;
      Fail(key, TypeMessage(node, scalar ? "a string: put it in quotes" : "a string"));
    } else if (text->size() > kMaxTextBytes) {
      Fail(key, "is longer than " + std::to_string(kMaxTextBytes) + " bytes");
      return std::nullopt;
    }
    return text;
  }

  // A problem with a value is reported at its key, and one with a list item at the item.
  void Fail(std::string_view key, std::string message) {
    problems_.push_back(document_.ProblemAt(key, std::move(message)));
  }

  const SchemaRow& row_;
  const YamlNode& node_;
  ConfigDocument& document_;
  std::vector<Problem> problems_;
};

// Walks the sections. The table bounds the depth: only known sections are entered.
class Decoder {
 public:
  explicit Decoder(ConfigDocument& document) : document_(document) {}

  void ReadSection(const YamlNode& node, std::string_view section) {
    if (node.kind == YamlKind::kNull) {
      return;
    }
    if (node.kind != YamlKind::kMap) {
      problems_.push_back(document_.ProblemAt(section, "must be a map of keys"));
      return;
    }
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
      const YamlNode& name = node.children[i];
      if (!seen.insert(name.text).second) {
        Report(name, section, "is duplicated");
        continue;
      }
      ReadEntry(name, node.children[i + 1], section);
    }
  }

  std::vector<Problem> TakeProblems() && { return std::move(problems_); }

 private:
  void ReadEntry(const YamlNode& name, const YamlNode& value, std::string_view section) {
    const bool is_name = name.kind == YamlKind::kPlain || name.kind == YamlKind::kQuoted;
    const std::string key = JoinKey(section, name.text);
    const SchemaRow* row = is_name ? FindSchemaRow(key) : nullptr;
    const bool is_section = is_name && !name.text.empty() && row == nullptr && IsSection(key);
    if (row == nullptr && !is_section) {
      Report(name, section, UnknownKeyMessage(name.text, section));
      return;
    }
    document_.origins[key] = {document_.path, name.where};
    if (is_section) {
      ReadSection(value, key);
      return;
    }
    for (Problem& problem : ValueReader(*row, value, document_).Read()) {
      problems_.push_back(std::move(problem));
    }
  }

  static std::string UnknownKeyMessage(std::string_view name, std::string_view section) {
    const auto closest = ClosestName(name, ChildNames(section));
    if (!closest) {
      return "unknown key";
    }
    std::string message = EqualsIgnoringAsciiCase(name, *closest)
                              ? "unknown key, upper and lower case matter"
                              : "unknown key";
    return message.append("; did you mean \"").append(*closest).append("\"?");
  }

  void Report(const YamlNode& name, std::string_view section, std::string message) {
    problems_.push_back(
        {document_.path, name.where, JoinKey(section, Printable(name.text)), std::move(message)});
  }

  ConfigDocument& document_;
  std::vector<Problem> problems_;
};

// Like ValueReader, for text without YAML around it.
class TextSetter {
 public:
  TextSetter(std::string_view text, Config& config) : text_(text), config_(config) {}

  bool operator()(const TextField& field) const {
    field.write(config_) = std::string(text_);
    return true;
  }

  bool operator()(const ChoiceField& field) const { return field.write(config_, text_); }

  bool operator()(const IntField& field) const {
    const auto value =
        ParseCanonicalDecimal(text_, static_cast<std::uint32_t>(std::numeric_limits<int>::max()));
    field.write(config_) = static_cast<int>(value.value_or(0));
    return value.has_value();
  }

  bool operator()(const BoolField& field) const {
    field.write(config_) = text_ == "true";
    return text_ == "true" || text_ == "false";
  }

  bool operator()(const DurationField& field) const {
    const auto value = ParseDuration(text_);
    field.write(config_) = value.has_value() ? *value : Duration(0);
    return value.has_value();
  }

  bool operator()(const TextListField& field) const {
    field.write(config_).clear();
    return text_.empty();
  }

  bool operator()(const IdListField& field) const {
    field.write(config_).clear();
    return text_.empty();
  }

 private:
  std::string_view text_;
  Config& config_;
};

}  // namespace

std::vector<Problem> Decode(const YamlNode& tree, ConfigDocument& document) {
  Decoder decoder(document);
  decoder.ReadSection(tree, "");
  return std::move(decoder).TakeProblems();
}

bool SetFromText(std::string_view key, std::string_view text, Config& config) {
  const SchemaRow* row = FindSchemaRow(key);
  return row != nullptr && std::visit(TextSetter(text, config), row->field);
}

}  // namespace baokms::supervisor
