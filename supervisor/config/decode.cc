#include "supervisor/config/decode.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "supervisor/config/number_text.h"
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
  const bool number = node.kind == YamlKind::kPlain && ResolvePlain(node.text) == PlainType::kInt;
  return number ? ParseWholeNumber(node.text) : std::nullopt;
}

std::string TypeMessage(const YamlNode& node, std::string_view wanted) {
  std::string message = "must be ";
  message.append(wanted);
  if (node.kind == YamlKind::kNull) {
    return "the key is present but has no value; " + message;
  }
  return message;
}

// Reads one key's value.
class ValueReader {
 public:
  ValueReader(const SchemaRow& row,
              const YamlNode& node,
              ConfigDocument& document,
              std::vector<Problem>& problems)
      : row_(row), node_(node), document_(document), problems_(problems) {}

  void Read() {
    std::visit([this](const auto& field) { this->Store(field); }, row_.field);
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
    const auto value = text ? ParseDuration(*text) : Error(ErrorCode::kInvalidArgument, "no text");
    if (!value) {
      Fail(row_.key, "must be a duration string with units, such as 30s or 0s, of at most 878400h");
      return;
    }
    field.write(document_.config) = *value;
  }

  void Store(const ChoiceField& field) {
    const auto text = TakeText(node_, row_.key);
    const std::string key(row_.key);
    document_.refused_words.erase(key);
    if (text && !field.write(document_.config, *text)) {
      document_.refused_words[key] = std::string(*text);
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
  std::vector<Problem>& problems_;
};

// Returns the key or section with this last part, if there is exactly one at any depth.
std::optional<std::string_view> OnlyKeyNamed(std::string_view name) {
  std::set<std::string_view> found;
  for (const SchemaRow& row : SchemaTable()) {
    for (std::size_t end = 0; end < row.key.size(); ++end) {
      end = std::min(row.key.find('.', end), row.key.size());
      const std::string_view key = row.key.substr(0, end);
      if (key.substr(key.rfind('.') + 1) == name) {
        found.insert(key);
      }
    }
  }
  return found.size() == 1 ? std::optional(*found.begin()) : std::nullopt;
}

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
    std::map<std::string_view, int> lines;
    for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
      const YamlNode& name = node.children[i];
      if (const auto [first, added] = lines.emplace(name.text, name.where.line); !added) {
        Report(name, section,
               "is duplicated: the first one is in line " + std::to_string(first->second));
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
      problems_.back().unknown_key = true;
      return;
    }
    document_.origins[key] = {document_.path, name.where};
    if (is_section) {
      ReadSection(value, key);
      return;
    }
    ValueReader(*row, value, document_, problems_).Read();
  }

  static std::string UnknownKeyMessage(std::string_view name, std::string_view section) {
    auto closest = ClosestName(name, ChildNames(section));
    closest = closest ? closest : OnlyKeyNamed(name);
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

// Returns the node that the file would have for `text`. Text is a string even where an unquoted
// scalar would be something else, and an empty text is an empty list.
YamlNode NodeFor(const Field& field, std::string_view text) {
  const bool plain =
      std::holds_alternative<IntField>(field) || std::holds_alternative<BoolField>(field);
  const bool list =
      std::holds_alternative<TextListField>(field) || std::holds_alternative<IdListField>(field);
  if (list && text.empty()) {
    return {.kind = YamlKind::kList};
  }
  return {.kind = plain ? YamlKind::kPlain : YamlKind::kQuoted, .text = std::string(text)};
}

}  // namespace

std::vector<Problem> Decode(const YamlNode& tree, ConfigDocument& document) {
  Decoder decoder(document);
  decoder.ReadSection(tree, "");
  return std::move(decoder).TakeProblems();
}

std::vector<Problem> DecodeText(const SchemaRow& row,
                                std::string_view text,
                                ConfigDocument& document) {
  std::vector<Problem> problems;
  ValueReader(row, NodeFor(row.field, text), document, problems).Read();
  return problems;
}

}  // namespace baokms::supervisor
