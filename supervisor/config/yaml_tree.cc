#include "supervisor/config/yaml_tree.h"

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "common/contract/utf8.h"

namespace baokms::supervisor {
namespace {

constexpr const char* kTooDeep = "values are nested too deeply";

Position PositionOf(const YAML::Mark& mark) {
  return {mark.line + 1, mark.column + 1};
}

bool HasKey(const YamlNode& map, const YamlNode& key) {
  for (std::size_t i = 0; i + 1 < map.children.size(); i += 2) {
    if (map.children[i].text == key.text && map.children[i].children.empty()) {
      return true;
    }
  }
  return false;
}

bool IsMergeKey(const YamlNode& key) {
  return key.kind == YamlKind::kPlain && key.text == "<<";
}

// Builds the tree from the parser's events. Stops at the first problem and ignores later events.
class TreeBuilder final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) {
      Fail(PositionOf(mark), "only one YAML document is allowed");
    }
  }

  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add({.kind = YamlKind::kNull, .where = PositionOf(mark)}, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      Fail(PositionOf(mark), "an alias may not stand inside what it refers to");
      return;
    }
    if (nodes_ + found->second.size > kMaxYamlNodes) {
      Fail(PositionOf(mark), "too many values (aliases expanded)");
      return;
    }
    YamlNode copy = found->second;
    copy.where = PositionOf(mark);
    nodes_ += copy.size - 1;  // Add() counts the last one
    Add(std::move(copy), 0);
  }

  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& value) override {
    const bool plain = tag == "?" || tag.empty();
    if (!plain && tag != "!" && tag != "tag:yaml.org,2002:str") {
      Fail(PositionOf(mark), "YAML tags are not supported");
      return;
    }
    Add({.kind = plain ? YamlKind::kPlain : YamlKind::kQuoted,
         .where = PositionOf(mark),
         .text = value},
        anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Open(YamlKind::kList, mark, tag, anchor);
  }

  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Open(YamlKind::kMap, mark, tag, anchor);
  }

  void OnMapEnd() override { Close(); }

  [[nodiscard]] bool Failed() const { return problem_.has_value(); }

  std::variant<YamlNode, YamlProblem> Finish() && {
    if (problem_) {
      return *std::move(problem_);
    }
    return std::move(root_);
  }

 private:
  struct Frame {
    YamlNode node;
    YAML::anchor_t anchor;
  };

  void Fail(Position where, std::string_view message) {
    if (!problem_) {
      problem_ = YamlProblem{where, std::string(message)};
    }
  }

  void Open(YamlKind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    const Position where = PositionOf(mark);
    const std::string_view own_tag =
        kind == YamlKind::kMap ? "tag:yaml.org,2002:map" : "tag:yaml.org,2002:seq";
    if (tag != "?" && !tag.empty() && tag != "!" && tag != own_tag) {
      Fail(where, "YAML tags are not supported");
    }
    if (open_.size() >= kMaxYamlDepth) {
      Fail(where, kTooDeep);
    }
    if (!problem_) {
      open_.push_back({{.kind = kind, .where = where}, anchor});
    }
  }

  void Close() {
    if (problem_) {
      return;
    }
    Frame frame = std::move(open_.back());
    open_.pop_back();
    if (frame.node.kind == YamlKind::kMap) {
      ApplyMergeKeys(frame.node);
    }
    Add(std::move(frame.node), frame.anchor);
  }

  void Add(YamlNode node, YAML::anchor_t anchor) {
    if (++nodes_ > kMaxYamlNodes) {
      Fail(node.where, "too many values");
    }
    if (problem_) {
      return;
    }
    if (anchor != 0) {
      anchors_[anchor] = node;
    }
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    YamlNode& parent = open_.back().node;
    parent.size += node.size;
    parent.children.push_back(std::move(node));
  }

  // Merges "<<: map" or "<<: [map, map]": adds the entries whose keys the map does not have yet.
  void ApplyMergeKeys(YamlNode& map) {
    for (std::size_t i = 0; i + 1 < map.children.size();) {
      if (!IsMergeKey(map.children[i])) {
        i += 2;
        continue;
      }
      YamlNode source = std::move(map.children[i + 1]);
      const auto at = map.children.begin() + static_cast<std::ptrdiff_t>(i);
      map.children.erase(at, at + 2);
      if (source.kind == YamlKind::kMap) {
        MergeFrom(map, source);
        continue;
      }
      for (const YamlNode& item : source.children) {
        MergeFrom(map, item);
      }
      if (source.kind != YamlKind::kList) {
        Fail(source.where, "a merge key needs a map or a list of maps");
      }
    }
  }

  void MergeFrom(YamlNode& map, const YamlNode& source) {
    if (source.kind != YamlKind::kMap) {
      Fail(source.where, "a merge key needs a map or a list of maps");
      return;
    }
    for (std::size_t i = 0; i + 1 < source.children.size(); i += 2) {
      if (!HasKey(map, source.children[i])) {
        map.children.push_back(source.children[i]);
        map.children.push_back(source.children[i + 1]);
      }
    }
  }

  int documents_ = 0;
  std::size_t nodes_ = 0;
  YamlNode root_;
  std::vector<Frame> open_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  std::optional<YamlProblem> problem_;
};

// Returns line and column of byte `offset`.
Position PositionAt(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const auto last = before.rfind('\n');
  const std::size_t column = last == std::string_view::npos ? offset : offset - last - 1;
  return {static_cast<int>(lines) + 1, static_cast<int>(column) + 1};
}

std::optional<YamlProblem> CheckBytes(std::string_view text) {
  if (text.size() > kMaxYamlBytes) {
    return YamlProblem{{}, "the file is larger than 1 MiB"};
  }
  if (const auto bad = contract::FindInvalidUtf8(text)) {
    return YamlProblem{PositionAt(text, *bad), "not UTF-8 text"};
  }
  const auto* control = std::find_if(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7f;
  });
  if (control != text.end()) {
    const auto offset = static_cast<std::size_t>(control - text.begin());
    return YamlProblem{PositionAt(text, offset), "control characters are not allowed"};
  }
  const auto* lone = std::adjacent_find(text.begin(), text.end(),
                                        [](char a, char b) { return a == '\r' && b != '\n'; });
  if (lone != text.end()) {
    return YamlProblem{PositionAt(text, static_cast<std::size_t>(lone - text.begin())),
                       "lines must end with LF or CRLF, not with CR alone"};
  }
  return std::nullopt;
}

// Returns the position of the colon in "key:value", which YAML reads as one text that may go on in
// the next line.
std::optional<std::size_t> ColonWithoutSpace(std::string_view line) {
  const std::size_t colon = line.find(':');
  const bool joined = colon != line.npos && colon + 1 < line.size() && line[colon + 1] != ' ' &&
                      line.find(": ") == line.npos && line.find_first_of("\"'#") == line.npos;
  return joined ? std::optional(colon) : std::nullopt;
}

// Describes an error of yaml-cpp for an operator. yaml-cpp has one message for a second key on a
// line, for a key that its indentation or the line before it makes part of that line's value, and
// for one after a tab; and another message for a key that is indented less than its neighbours.
YamlProblem DescribeSyntaxError(const YAML::Exception& error, std::string_view text) {
  const Position where = PositionOf(error.mark);
  std::string_view line;
  std::string_view previous;
  for (int i = 0; i < where.line; ++i) {
    previous = line;
    line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  const std::string_view before = line.substr(0, static_cast<std::size_t>(error.mark.column));
  const bool is_first = before.find_first_not_of(' ') == before.npos;
  const std::size_t indented = std::min(line.find_first_not_of(" \t"), line.size());
  if (error.msg == YAML::ErrorMsg::BAD_FILE) {  // of its parser, about the depth
    return {where, kTooDeep};
  }
  if (error.msg == YAML::ErrorMsg::UNKNOWN_TOKEN) {
    return {where, "not valid YAML: a value that begins with this character must be quoted"};
  }
  if (line.substr(0, indented).find('\t') != line.npos) {
    return {where, "not valid YAML: tabs cannot be used for indentation"};
  }
  if (error.msg == YAML::ErrorMsg::MAP_VALUE) {
    if (before.find(": ") != before.npos) {
      return {where, "not valid YAML: a value that contains \": \" must be quoted"};
    }
    if (const auto colon = ColonWithoutSpace(previous)) {
      return {{where.line - 1, static_cast<int>(*colon) + 1},
              "not valid YAML: write a space after the colon"};
    }
  } else if (error.msg != YAML::ErrorMsg::END_OF_MAP) {
    return {where, "not valid YAML: " + error.msg};
  } else if (!is_first) {
    return {where, "not valid YAML: text after the end of a value"};
  } else if (before.empty() || line.find(':') == line.npos) {
    return {where, "not valid YAML: check the indentation of this line and the previous one"};
  }
  return {where, "not valid YAML: this key is indented differently from its neighbours"};
}

}  // namespace

std::variant<YamlNode, YamlProblem> ParseYaml(std::string_view text) {
  if (auto problem = CheckBytes(text)) {
    return *std::move(problem);
  }
  try {
    // The document end marker makes yaml-cpp reject a quoted string that the end of the file
    // truncates, which it would otherwise accept as complete.
    std::istringstream stream(std::string(text) + "\n...\n");
    YAML::Parser parser(stream);
    TreeBuilder builder;
    // Stops at the first problem, because yaml-cpp finds an endless series of documents in ", a:
    // b".
    while (!builder.Failed() && parser.HandleNextDocument(builder)) {
    }
    return std::move(builder).Finish();
  } catch (const YAML::Exception& error) {
    return DescribeSyntaxError(error, text);
  } catch (const std::exception&) {
    return YamlProblem{{}, "not valid YAML"};
  }
}

}  // namespace baokms::supervisor
