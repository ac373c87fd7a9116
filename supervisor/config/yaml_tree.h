// Parses one YAML document into a small tree with the position of every node.
//
// The only code that uses yaml-cpp. It knows nothing about the configuration's keys. The trees it
// returns are bounded in nodes and depth after the expansion of aliases.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace baokms::supervisor {

// A configuration has about 90 keys and takes 5 KiB; 1 MiB leaves room for comments and keeps
// parsing below a second.
inline constexpr std::size_t kMaxYamlBytes = std::size_t{1} << 20;

// Maximum number of keys, values and list items after the expansion of aliases; this is what stops
// an alias bomb.
inline constexpr std::size_t kMaxYamlNodes = 20'000;

// Maximum depth. The deepest key of the configuration is five levels down.
inline constexpr std::size_t kMaxYamlDepth = 16;

// Counted from 1. Line 0 stands for the whole file.
struct Position {
  int line{};
  int column{};

  friend bool operator==(const Position&, const Position&) = default;
};

enum class YamlKind { kNull, kPlain, kQuoted, kList, kMap };

struct YamlNode {
  YamlKind kind = YamlKind::kNull;
  Position where{};
  // For kPlain and kQuoted (also block scalars and !!str).
  std::string text{};
  // kList: the items. kMap: key, value, key, value, ... with merge keys ("<<") already applied.
  std::vector<YamlNode> children{};
  // Number of nodes in this tree, including this one.
  std::size_t size = 1;
};

struct YamlProblem {
  Position where;
  std::string message;
};

// Parses the text of one file. An empty file is a kNull node. Fails on text that is not UTF-8 or
// contains control characters, on more than one document, on tags other than !!str, !!map and
// !!seq, and beyond the limits above.
std::variant<YamlNode, YamlProblem> ParseYaml(std::string_view text);

// The type that Go's YAML reader gives an unquoted scalar.
enum class PlainType { kString, kInt, kFloat, kBool, kNull, kTimestamp };

PlainType ResolvePlain(std::string_view text);

}  // namespace baokms::supervisor
