// One YAML document as a small tree with the place of every node.
//
// The only code that sees yaml-cpp. It knows nothing about the configuration's keys, and a tree it
// returns is bounded in nodes and depth, aliases already expanded.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace baokms::supervisor {

// A configuration has about 90 keys and takes 5 KiB; 1 MiB leaves room for comments and keeps the
// parser's work below a second.
inline constexpr std::size_t kMaxYamlBytes = std::size_t{1} << 20;

// Keys, values and list items after aliases are expanded: what stops an alias bomb.
inline constexpr std::size_t kMaxYamlNodes = 20'000;

// The deepest key of the configuration is five levels down.
inline constexpr std::size_t kMaxYamlDepth = 16;

// Counted from 1. Line 0 means "the file as a whole".
struct Position {
  int line{};
  int column{};

  friend bool operator==(const Position&, const Position&) = default;
};

enum class YamlKind { kNull, kPlain, kQuoted, kList, kMap };

struct YamlNode {
  YamlKind kind = YamlKind::kNull;
  Position where{};
  // kPlain, kQuoted (also block scalars and !!str).
  std::string text{};
  // kList: the items. kMap: key, value, key, value, ... with merge keys ("<<") already applied.
  std::vector<YamlNode> children{};
  // Nodes in this tree, this one included.
  std::size_t size = 1;
};

struct YamlProblem {
  Position where;
  std::string message;
};

// Parses the text of one file. An empty file is a kNull node. Fails on text that is not UTF-8 or
// holds control characters, on more than one document, on tags other than !!str, !!map and !!seq,
// and on the limits above.
std::variant<YamlNode, YamlProblem> ParseYaml(std::string_view text);

// What an unquoted scalar means to Go's YAML reader.
enum class PlainType { kString, kInt, kFloat, kBool, kNull, kTimestamp };

PlainType ResolvePlain(std::string_view text);

}  // namespace baokms::supervisor
