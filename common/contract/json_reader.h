// Reads chosen members of one JSON object into variables, in one pass and without a tree: the one
// reader for files, tokens and answers from the network. Strict where JSON libraries are lenient
// (RFC 8259 leaves it open): duplicate names at any depth, deep nesting, a NUL, a byte order mark,
// invalid UTF-8 and text after the object are refused.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/result.h"

namespace baokms::contract {

// Objects and arrays inside each other. The deepest value that is read is at level 4; identity
// providers put claims that are skipped into three or four levels.
inline constexpr std::size_t kMaxJsonDepth = 16;

enum class Presence : std::uint8_t {
  kRequired,
  kOptional,          // absent, or null: the target keeps its value
  kOmittedWhenEmpty,  // absent; "" or 0 written out is refused, because no writer does that
};

struct JsonMember;

// A text that does not become a std::string: the function may wipe it or move it away, and says
// whether it is acceptable.
struct JsonText {
  std::function<bool(std::string& text)> take;
};

// An array; the function gets those elements that are texts. Others are skipped.
struct JsonTexts {
  std::function<void(std::string& text)> take;
};

// An object of integers. The function says whether an entry is acceptable.
struct JsonIntegers {
  std::function<bool(std::string_view name, std::int64_t value)> take;
};

// An array of at most `max_count` objects and nothing else. `begin` gives the members of the next
// object; their targets must stay where they are until the object ends.
struct JsonObjects {
  std::size_t max_count = 0;
  std::function<std::vector<JsonMember>()> begin;
};

// A member whose type decides what it means. std::monostate: there is no such member.
struct JsonNull {};

struct JsonOther {};  // true, false, an object, an array with anything but texts

using JsonAny = std::
    variant<std::monostate, JsonNull, JsonOther, std::string, double, std::vector<std::string>>;

// One member that is wanted. A value of another type than the target's is an error.
struct JsonMember {
  using Target = std::variant<std::string*,
                              std::int64_t*,
                              std::uint64_t*,  // without a minus sign
                              std::optional<std::int64_t>*,
                              bool*,
                              JsonAny*,  // never missing
                              JsonText,
                              JsonTexts,
                              JsonIntegers,
                              JsonObjects,
                              std::vector<JsonMember>>;  // an object with these members

  std::string_view name;
  Target target;
  Presence presence = Presence::kRequired;
};

enum class UnknownMembers : std::uint8_t { kSkipped, kRefused };

// What a document may be at most, and what happens to members that nobody asked for.
struct JsonRules {
  std::size_t max_bytes = 0;
  std::size_t max_members = 0;  // of one object
  UnknownMembers unknown = UnknownMembers::kRefused;
};

// Reads the whole of `text`. Fails with kResourceExhausted when it is longer than allowed, with
// kFailedPrecondition when all is well but a required member is missing, else with
// kInvalidArgument. On failure the targets are in no particular state, except that after
// kFailedPrecondition those members that exist have been read.
Status ReadJson(std::string_view text,
                const JsonRules& rules,
                const std::vector<JsonMember>& members);

}  // namespace baokms::contract
