// A loaded configuration together with where each key came from.

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
  // As it was named; empty when no file was read.
  std::string path;
  Config config;
  // Keys, sections and list items ("auth.jwt.expectedAudience[0]") that were set anywhere.
  std::map<std::string, KeyOrigin, std::less<>> origins;
  // Keys with fixed words (choices.h) whose value is none of these, and that value.
  std::map<std::string, std::string, std::less<>> refused_words;
  // auth.jwt.jwtFile was written with ${CREDENTIALS_DIRECTORY}.
  bool jwt_from_systemd = false;

  [[nodiscard]] bool Has(std::string_view key) const { return origins.contains(key); }

  // A problem at the key's own place, else at the nearest section around it that was written.
  [[nodiscard]] Problem ProblemAt(std::string_view key, std::string message) const;
};

// Whether a problem already speaks about the key, or about a section or the file around it. Such a
// key has no meaningful value.
bool IsFaulty(std::span<const Problem> problems, std::string_view key);

}  // namespace baokms::supervisor
