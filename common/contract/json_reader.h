// Reads selected members of one JSON object into variables, in one pass and without building a
// tree. All files, tokens and network responses are read with it. It is strict where JSON libraries
// are lenient (RFC 8259 leaves it open): it refuses duplicate names at any depth, deep nesting, a
// NUL, a byte order mark, invalid UTF-8 and text after the object.

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

// Maximum nesting of objects and arrays. The deepest value that is read is at level 4; identity
// providers nest the claims that are skipped three or four levels deep.
inline constexpr std::size_t kMaxJsonDepth = 16;

enum class Presence : std::uint8_t {
  kRequired,
  kOptional,          // may be absent or null: the target keeps its value
  kOmittedWhenEmpty,  // may be absent; an explicit "" or 0 is refused, because no writer produces
                      // it
};

struct JsonMember;

// A text that is not copied into a std::string. The function may wipe or move it, and returns
// whether it is acceptable.
struct JsonText {
  std::function<bool(std::string& text)> take;
};

// An array of which the function receives the text elements. Other elements are skipped.
struct JsonTexts {
  std::function<void(std::string& text)> take;
};

// An object of integers. The function returns whether an entry is acceptable.
struct JsonIntegers {
  std::function<bool(std::string_view name, std::int64_t value)> take;
};

// An array of at most `max_count` objects and nothing else. `begin` returns the members of the next
// object; their targets must not move until the object ends.
struct JsonObjects {
  std::size_t max_count = 0;
  std::function<std::vector<JsonMember>()> begin;
};

// A member whose meaning depends on its type. std::monostate: the member is absent.
struct JsonNull {};

struct JsonOther {};  // true, false, an object, an array with anything but texts

using JsonAny = std::
    variant<std::monostate, JsonNull, JsonOther, std::string, double, std::vector<std::string>>;

// One requested member. A value of a type other than the target's is an error.
struct JsonMember {
  using Target = std::variant<std::string*,
                              std::int64_t*,
                              std::uint64_t*,  // refuses a minus sign
                              std::optional<std::int64_t>*,
                              bool*,
                              JsonAny*,  // may be absent
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

// The limits of a document, and the treatment of members that were not requested.
struct JsonRules {
  std::size_t max_bytes = 0;
  std::size_t max_members = 0;  // per object
  UnknownMembers unknown = UnknownMembers::kRefused;
};

// Reads the whole of `text`. Fails with kResourceExhausted when it is longer than allowed, with
// kFailedPrecondition when it is valid but lacks a required member, and with kInvalidArgument
// otherwise. On failure the state of the targets is unspecified, except that after
// kFailedPrecondition the members that are present have been read.
Status ReadJson(std::string_view text,
                const JsonRules& rules,
                const std::vector<JsonMember>& members);

}  // namespace baokms::contract
