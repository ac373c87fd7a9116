// Loads the configuration. Precedence: flag, environment, file, default.
//
// Reports everything that is wrong with the text. validate.h checks the values, and host_checks.h
// the files that they name.

#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/config/document.h"
#include "supervisor/config/schema_table.h"

namespace baokms::supervisor {

// Returns the value of an environment variable, or nothing.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

// A flag that was given on the command line. It takes precedence even if it is empty.
struct FlagValue {
  std::string_view flag;  // "--log-level"
  std::string_view key;
  std::string text;
};

// Whether the file must pass the checks of safe_file.h. `serve` requires them; commands that only
// inspect a file do not.
enum class ConfigFileSafety { kAny, kChecked };

struct LoadOptions {
  // Empty: no file, defaults only.
  std::string path;
  std::vector<FlagValue> flags;
  Environment environment;
  ConfigFileSafety safety = ConfigFileSafety::kAny;
  // As ConfigDocument::of_another_machine.
  bool of_another_machine = false;

  // Returns the same options for a configuration that is meant for another machine, whose
  // environment is not known: this machine's is left out.
  [[nodiscard]] LoadOptions ForAnotherMachine() const;
};

struct LoadResult {
  ConfigDocument document;
  std::vector<Problem> problems;
};

LoadResult LoadConfig(const LoadOptions& options);

// Like LoadConfig(), for text that is already in memory; `name` identifies it in messages.
LoadResult LoadConfigText(std::string_view name, std::string_view text, const LoadOptions& options);

// The path of the configuration file, which is not a key of the file.
inline constexpr Override kConfigPath{"--config", "BAO_KMS_PROVIDER_CONFIG",
                                      "BAO_KMS_PROVIDER_CONFIG_PATH"};

struct EnvironmentValue {
  std::string_view name;
  std::string text;
};

// Returns the value of the first variable that is set; an empty variable counts as unset.
std::optional<EnvironmentValue> ReadEnvironment(const Override& override,
                                                const Environment& environment);

// Returns a configuration in which every key has the table's default.
Config DefaultConfig();

}  // namespace baokms::supervisor
