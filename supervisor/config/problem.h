// One finding about the configuration, with the place it was found at.

#pragma once

#include <span>
#include <string>
#include <string_view>

#include "supervisor/config/yaml_tree.h"

namespace baokms::supervisor {

struct Problem {
  // The file as it was named, a flag ("--log-level") or an environment variable; may be empty.
  std::string source;
  // Line 0: the source as a whole.
  Position where;
  // May be empty: the file itself.
  std::string key;
  // Never holds a value from the file.
  std::string message;
};

// "config.yaml:17:5: openbao.timeout: must be greater than 0".
std::string ToLine(const Problem& problem);

// What a command prints on stderr: one line "config invalid; <key>: <message>; ...", as the Go
// provider has it, then one ToLine() per problem that has a source. No newline at the end.
std::string DescribeProblems(std::span<const Problem> problems);

}  // namespace baokms::supervisor
