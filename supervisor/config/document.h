// A loaded configuration together with the origin of each key.

#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/config/config.h"
#include "supervisor/config/problem.h"

namespace baokms::supervisor {

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
  // auth.jwt.jwtFile was written with ${CREDENTIALS_DIRECTORY}.
  bool jwt_from_systemd = false;

  [[nodiscard]] bool Has(std::string_view key) const { return origins.contains(key); }

  // Returns a problem at the key's own position, otherwise at the nearest enclosing section that is
  // present in the file.
  [[nodiscard]] Problem ProblemAt(std::string_view key, std::string message) const;
};

// Returns whether a problem already exists for the key, an enclosing section or the file. Such a
// key has no meaningful value.
bool IsFaulty(std::span<const Problem> problems, std::string_view key);

}  // namespace baokms::supervisor
