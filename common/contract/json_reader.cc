#include "common/contract/json_reader.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <span>
#include <type_traits>
#include <unordered_set>
#include <utility>

#include <nlohmann/json.hpp>

namespace baokms::contract {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool IsEmptyButWritten(const JsonMember& member, bool empty) {
  return empty && member.presence == Presence::kOmittedWhenEmpty;
}

// Each function stores a value of one JSON type in `target` and returns false when the target has
// another type.
template <typename Target>
bool StoreText(const Target& target, std::string& value) {
  if constexpr (std::is_same_v<Target, std::string*> || std::is_same_v<Target, JsonAny*>) {
    *target = std::move(value);
    return true;
  } else if constexpr (std::is_same_v<Target, JsonText>) {
    return target.take(value);
  }
  return false;
}

template <typename Target>
bool StoreInteger(const Target& target, std::int64_t value) {
  if constexpr (std::is_same_v<Target, std::int64_t*> ||
                std::is_same_v<Target, std::optional<std::int64_t>*>) {
    *target = value;
    return true;
  }
  return false;
}

class Reader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Reader(const JsonRules& rules, std::span<const JsonMember> members)
      : rules_(rules), root_(members) {}

  bool null() override {
    const JsonMember* member = Wanted();
    if (member == nullptr) {
      return MaySkip();
    }
    if (JsonAny* any = AnyOf(*member)) {
      *any = JsonNull();
      return true;
    }
    return member->presence == Presence::kOptional;
  }

  bool boolean(bool value) override {
    return Store(JsonOther(), [value](const auto& target) {
      if constexpr (std::is_same_v<std::decay_t<decltype(target)>, bool*>) {
        *target = value;
        return true;
      }
      return false;
    });
  }

  // Called only for numbers with a minus sign.
  bool number_integer(number_integer_t value) override { return Signed(value); }

  bool number_unsigned(number_unsigned_t value) override {
    if (const JsonMember* member = Wanted()) {
      if (auto* const* slot = std::get_if<std::uint64_t*>(&member->target)) {
        **slot = value;
        return See(*member) && !IsEmptyButWritten(*member, value == 0);
      }
    }
    return value <= static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max())
               ? Signed(static_cast<std::int64_t>(value))
               : Fraction(static_cast<double>(value));
  }

  // Fractions, exponents and integers above 64 bits.
  bool number_float(number_float_t value, const string_t& /*text*/) override {
    return Fraction(value);
  }

  bool string(string_t& value) override {
    if (const JsonMember* list = EnclosingList()) {
      return AppendText(*list, value);
    }
    const JsonMember* member = Wanted();
    if (member == nullptr) {
      return MaySkip();
    }
    return See(*member) && !IsEmptyButWritten(*member, value.empty()) &&
           std::visit([&value](const auto& target) { return StoreText(target, value); },
                      member->target);
  }

  bool binary(binary_t& /*value*/) override { return false; }

  bool start_object(std::size_t /*elements*/) override { return Begin(Kind::kObject); }

  bool end_object() override {
    const Level& level = levels_.back();
    for (std::size_t i = 0; i < level.members.size(); ++i) {
      const JsonMember& member = level.members[i];
      complete_ &=
          level.seen[i] || member.presence != Presence::kRequired || AnyOf(member) != nullptr;
    }
    levels_.pop_back();
    return true;
  }

  bool start_array(std::size_t /*elements*/) override { return Begin(Kind::kArray); }

  bool end_array() override {
    levels_.pop_back();
    return true;
  }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    const auto found = std::ranges::find(level.members, name, &JsonMember::name);
    level.current = found == level.members.end() ? nullptr : &*found;
    level.name = name;
    const bool known =
        level.current != nullptr || level.is_skipped || rules_.unknown == UnknownMembers::kSkipped;
    return level.names.insert(std::move(name)).second && known &&
           level.names.size() <= rules_.max_members;
  }

  bool parse_error(std::size_t /*position*/,
                   const std::string& /*token*/,
                   const nlohmann::json::exception& /*cause*/) override {
    return false;
  }

  // Returns whether every required member was present.
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  enum class Kind : std::uint8_t { kObject, kArray };

  struct Level {
    Kind kind{};
    bool is_skipped = false;           // no member of it was requested
    const JsonMember* list = nullptr;  // the list that this level's values belong to
    std::vector<JsonMember> own{};     // the members of an object in a JsonObjects
    std::span<const JsonMember> members{};
    std::vector<bool> seen{};             // by member
    const JsonMember* current = nullptr;  // the member of the next value
    std::size_t count = 0;                // number of objects so far, in a JsonObjects
    std::string name{};                   // the name of the next value
    std::unordered_set<std::string> names{};
  };

  // Returns the requested member that the next value belongs to, or null.
  [[nodiscard]] const JsonMember* Wanted() const {
    return levels_.empty() ? nullptr : levels_.back().current;
  }

  // Returns the requested list that directly contains the next value, or null.
  [[nodiscard]] const JsonMember* EnclosingList() const {
    return levels_.empty() ? nullptr : levels_.back().list;
  }

  // Returns whether a value that was not requested may be skipped here. It may not be the document
  // itself, nor stand in a list of one type.
  [[nodiscard]] bool MaySkip() {
    const JsonMember* list = EnclosingList();
    if (list == nullptr) {
      return !levels_.empty();
    }
    if (JsonAny* any = AnyOf(*list)) {
      *any = JsonOther();
      return true;
    }
    return std::holds_alternative<JsonTexts>(list->target);
  }

  static JsonAny* AnyOf(const JsonMember& member) {
    const auto* any = std::get_if<JsonAny*>(&member.target);
    return any == nullptr ? nullptr : *any;
  }

  bool See(const JsonMember& member) {
    Level& level = levels_.back();
    level.seen[static_cast<std::size_t>(&member - level.members.data())] = true;
    return true;
  }

  // Stores a value in the requested member; `as_any` is its representation for a JsonAny.
  template <typename StoreFunction>
  bool Store(JsonAny as_any, StoreFunction store) {
    const JsonMember* member = Wanted();
    if (member == nullptr) {
      return MaySkip();
    }
    if (JsonAny* any = AnyOf(*member)) {
      *any = std::move(as_any);
      return true;
    }
    return See(*member) && std::visit(store, member->target);
  }

  bool Signed(std::int64_t value) {
    const JsonMember* list = EnclosingList();
    if (list != nullptr && std::holds_alternative<JsonIntegers>(list->target)) {
      return std::get<JsonIntegers>(list->target).take(levels_.back().name, value);
    }
    return Store(static_cast<double>(value),
                 [value](const auto& target) { return StoreInteger(target, value); });
  }

  bool Fraction(double value) {
    return Store(value, [](const auto& /*target*/) { return false; });
  }

  bool AppendText(const JsonMember& list, std::string& value) {
    if (const auto* texts = std::get_if<JsonTexts>(&list.target)) {
      texts->take(value);
      return true;
    }
    if (JsonAny* any = AnyOf(list)) {
      if (auto* elements = std::get_if<std::vector<std::string>>(any)) {
        elements->push_back(std::move(value));
      }
      return true;
    }
    return false;
  }

  bool Begin(Kind kind) {
    if (levels_.size() >= kMaxJsonDepth) {
      return false;
    }
    if (levels_.empty()) {
      Open({.kind = kind, .members = root_});
      return kind == Kind::kObject;
    }
    const JsonMember* list = EnclosingList();
    if (list != nullptr && std::holds_alternative<JsonObjects>(list->target)) {
      return kind == Kind::kObject && BeginElement(std::get<JsonObjects>(list->target));
    }
    if (const JsonMember* member = Wanted()) {
      return See(*member) && BeginMember(*member, kind);
    }
    const bool may_skip = MaySkip();
    Open({.kind = kind, .is_skipped = true});
    return may_skip;
  }

  bool BeginElement(const JsonObjects& objects) {
    if (++levels_.back().count > objects.max_count) {
      return false;
    }
    Level level{.kind = Kind::kObject, .own = objects.begin()};
    level.members = level.own;  // moving the level does not move the vector's memory
    Open(std::move(level));
    return true;
  }

  bool BeginMember(const JsonMember& member, Kind kind) {
    const auto& target = member.target;
    if (JsonAny* any = AnyOf(member)) {
      const bool is_array = kind == Kind::kArray;
      *any = is_array ? JsonAny(std::vector<std::string>()) : JsonAny(JsonOther());
      Open({.kind = kind, .is_skipped = true, .list = is_array ? &member : nullptr});
      return true;
    }
    if (const auto* members = std::get_if<std::vector<JsonMember>>(&target)) {
      Open({.kind = kind, .members = *members});
      return kind == Kind::kObject;
    }
    Open({.kind = kind, .is_skipped = true, .list = &member});
    return kind == Kind::kObject ? std::holds_alternative<JsonIntegers>(target)
                                 : std::holds_alternative<JsonTexts>(target) ||
                                       std::holds_alternative<JsonObjects>(target);
  }

  void Open(Level level) {
    level.seen.resize(level.members.size());
    levels_.push_back(std::move(level));
  }

  const JsonRules& rules_;
  std::span<const JsonMember> root_;
  std::vector<Level> levels_;
  bool complete_ = true;
};

}  // namespace

Status ReadJson(std::string_view text,
                const JsonRules& rules,
                const std::vector<JsonMember>& members) {
  if (text.size() > rules.max_bytes) {
    return Error(ErrorCode::kResourceExhausted, "JSON document exceeds its size limit");
  }
  // The library treats a NUL as the end of its input and skips a byte order mark.
  if (text.find('\0') != std::string_view::npos || text.starts_with(kByteOrderMark)) {
    return Error(ErrorCode::kInvalidArgument, "JSON document has a NUL or a byte order mark");
  }
  Reader reader(rules, members);
  bool is_good = false;
  try {
    is_good = nlohmann::json::sax_parse(text, &reader);
  } catch (const std::exception&) {
    is_good = false;  // the library throws only when memory is exhausted
  }
  if (!is_good) {
    return Error(ErrorCode::kInvalidArgument, "JSON document is malformed or of another shape");
  }
  if (!reader.complete()) {
    return Error(ErrorCode::kFailedPrecondition, "JSON document lacks a required member");
  }
  return {};
}

}  // namespace baokms::contract
