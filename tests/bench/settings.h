// What the load tool is told on its standard input: one line of JSON, so that no token is on a
// command line.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "tests/bench/step.h"

namespace baokms::bench {

// The Transit key behind the provider, for calls without the provider.
struct BareSettings {
  std::string address;  // https URL without a path
  std::string ca_file;
  std::string token;
  std::string mount;
  std::string key;
  std::string aad;  // base64
  std::int64_t key_version = 1;
};

struct Settings {
  std::string socket_path;
  BareSettings bare;
  Timing timing;
  std::map<std::string, int> watched;  // process ids whose CPU time is of interest, by name
  std::vector<Step> steps;
};

// Reads the JSON document. Fails with kInvalidArgument, after a line on standard error that says
// what is wrong.
Result<Settings> ParseSettings(std::string_view text);

// One line of JSON with what a step was and what it measured.
std::string ToJson(const Step& step, const Summary& summary);

}  // namespace baokms::bench
