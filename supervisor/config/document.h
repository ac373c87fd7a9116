// A loaded configuration together with the origin of each key, and the problems with it.

#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/config/config.h"
#include "supervisor/config/yaml_tree.h"

namespace baokms::supervisor {

// A problem with the configuration and its position.
struct Problem {
  // The path of the file as given, a flag ("--log-level") or an environment variable; may be empty.
  std::string source;
  // Line 0 stands for the whole source.
  Position where;
  // Empty if the problem concerns the file itself.
  std::string key;
  // Continues a sentence about the key. Never contains a value from the file.
  std::string message;
  // The schema has no such key.
  bool unknown_key = false;
};

// Formats for example "config.yaml:17:5: openbao.timeout: must be greater than 0".
std::string ToLine(const Problem& problem);

// Formats what a command prints on stderr: one line "config invalid; <key>: <message>; ...", as the
// Go provider does, then one ToLine() per problem that has a source. No newline at the end.
std::string DescribeProblems(std::span<const Problem> problems);

struct KeyOrigin {
  std::string source;
  Position where;
};

struct ConfigDocument {
  // As given by the caller; empty if no file was read.
  std::string path;
  Config config;
  // Keys, sections and list items ("auth.jwt.expectedAudience[0]") that were set from any source.
  std::map<std::string, KeyOrigin, std::less<>> origins;
  // Keys of fixed values (choices.h) that have an invalid value, and that value.
  std::map<std::string, std::string, std::less<>> refused_words;
  // Keys that were written with ${CREDENTIALS_DIRECTORY}.
  std::set<std::string_view> from_systemd;
  // The configuration is meant for another machine: the value of ${CREDENTIALS_DIRECTORY} is not
  // known, and paths that begin with it remain as they were written.
  bool of_another_machine = false;

  [[nodiscard]] bool Has(std::string_view key) const { return origins.contains(key); }

  // Returns a problem at the key's own position, otherwise at the nearest enclosing section that is
  // present in the file.
  [[nodiscard]] Problem ProblemAt(std::string_view key, std::string message) const;
};

// Returns whether a problem already exists for the key, an enclosing section or the file. Such a
// key has no meaningful value.
bool IsFaulty(std::span<const Problem> problems, std::string_view key);

}  // namespace baokms::supervisor
