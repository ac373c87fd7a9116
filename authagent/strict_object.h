// Reads chosen members of one JSON object that came from outside. Strict where JSON libraries are
// lenient: duplicate names at any depth, deep nesting, a NUL, a byte order mark and trailing text
// are refused. Values of members that were not asked for are skipped.

#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/result.h"

namespace baokms::authagent {

// Objects and arrays inside each other. Claims of identity providers use three or four levels.
inline constexpr std::size_t kMaxJsonDepth = 16;

// Members of one object, elements of one array that was asked for: far above any real JWT.
inline constexpr std::size_t kMaxJsonEntries = 256;

// A member is text, a number, a list of texts, or something else (null, true, an object, any other
// list).
struct OtherJson {
  friend bool operator==(const OtherJson&, const OtherJson&) = default;
};

using JsonValue = std::variant<OtherJson, std::string, double, std::vector<std::string>>;
using JsonMembers = std::map<std::string, JsonValue, std::less<>>;

// Returns those of the `wanted` members that `text` has. Fails when it is not one JSON object as
// described above.
Result<JsonMembers> ReadStrictObject(std::string_view text,
                                     std::span<const std::string_view> wanted);

}  // namespace baokms::authagent
