// The tables of docs/security.md that say what the filters do.

#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace baokms {

// What the page calls PID_SELF, for filters that are built to be compared with it.
inline constexpr pid_t kDocumentedPid = 4242;

// One condition of a row: "`flags` without `O_ASYNC`".
struct DocumentedCondition {
  enum class Kind : std::uint8_t { kIs, kHas, kWithout };

  std::size_t argument = 0;
  Kind kind = Kind::kIs;
  std::vector<std::uint64_t> values{};
  std::uint64_t ignored = 0;  // bits of the argument that do not count

  [[nodiscard]] bool Holds(std::uint64_t argument_value) const;
};

// One row of the table of arguments: the processes for which the call is allowed when all
// conditions hold.
struct DocumentedArguments {
  std::vector<DocumentedCondition> conditions{};
  std::array<bool, 4> allowed{};
};

struct DocumentedCalls {
  std::map<std::string, std::array<std::string, 4>> words{};  // "yes", "some", "-", an errno
  std::set<std::string> killed{};
  std::map<std::string, std::vector<DocumentedArguments>> arguments{};
};

// Reads the page. Throws std::logic_error when a row names an argument or a constant that is not
// known here.
DocumentedCalls ReadDocumentedCalls();

}  // namespace baokms
