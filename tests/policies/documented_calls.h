// The tables of docs/security.md that say what the filters do.

#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace baokms {

// What the page calls PID_SELF, for filters that are built to be compared with it.
inline constexpr pid_t kDocumentedPid = 4242;

// What the page calls CHILD_UID and CHILD_GID: those of two workers and, at the end, of the agent.
struct DocumentedUser {
  uid_t uid;
  gid_t gid;
};

inline constexpr std::array<DocumentedUser, 3> kDocumentedUsers = {
    {{1001, 2001}, {1003, 2003}, {1002, 2002}}};

// A column of the tables below a heading.
struct DocumentedColumn {
  std::string section;
  std::string title;

  bool operator<(const DocumentedColumn& other) const {
    return std::tie(section, title) < std::tie(other.section, other.title);
  }
};

// One condition of a row: "`flags` without `O_ASYNC`".
struct DocumentedCondition {
  enum class Kind : std::uint8_t { kIs, kHas, kWithout, kAbove };

  std::size_t argument = 0;
  Kind kind = Kind::kIs;
  std::vector<std::uint64_t> values{};
  std::uint64_t ignored = 0;  // bits of the argument that do not count

  [[nodiscard]] bool Holds(std::uint64_t argument_value) const;
};

// What happens to a call when all conditions hold: "yes", "-" or an errno; "" where the columns
// say nothing.
struct DocumentedArguments {
  std::vector<DocumentedCondition> conditions{};
  std::string word{};
};

// What several columns say together: a cell takes the place of the same row's cell in the columns
// before it.
struct DocumentedCalls {
  // The word of each call: "yes", "some" or "-", or the errno that it fails with. What the
  // arguments decide counts for "some" and an errno.
  std::map<std::string, std::string> words{};
  std::map<std::string, std::vector<DocumentedArguments>> arguments{};
  std::set<std::string> killed{};  // whatever the column
};

// Reads the page. Throws std::logic_error when a row names a call, an argument or a constant that
// is not known here, and when the page does not have one of the columns.
DocumentedCalls ReadDocumentedCalls(const std::vector<DocumentedColumn>& columns);

// All columns of the page that say something about calls.
std::set<DocumentedColumn> AllDocumentedColumns();

}  // namespace baokms
