// A problem with the configuration and its position.

#pragma once

#include <span>
#include <string>
#include <string_view>

#include "supervisor/config/yaml_tree.h"

namespace baokms::supervisor {

struct Problem {
  // The path of the file as given, a flag ("--log-level") or an environment variable; may be empty.
  std::string source;
  // Line 0 stands for the whole source.
  Position where;
  // Empty if the problem concerns the file itself.
  std::string key;
  // Never contains a value from the file.
  std::string message;
};

// Formats for example "config.yaml:17:5: openbao.timeout: must be greater than 0".
std::string ToLine(const Problem& problem);

// Formats what a command prints on stderr: one line "config invalid; <key>: <message>; ...", as the
// Go provider does, then one ToLine() per problem that has a source. No newline at the end.
std::string DescribeProblems(std::span<const Problem> problems);

}  // namespace baokms::supervisor
