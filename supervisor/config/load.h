// Reads the configuration: flag over environment over file over default.
//
// Answers with everything that is wrong about the text; whether the values make sense is
// validate.h's question, whether the files they name are safe is host_checks.h's.

#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/config/document.h"
#include "supervisor/config/schema_table.h"

namespace baokms::supervisor {

// The value of an environment variable, or nothing.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

// A flag that was given on the command line. It wins even when it is empty.
struct FlagValue {
  std::string_view flag;  // "--log-level"
  std::string_view key;
  std::string text;
};

// Whether the file has to pass the checks of safe_file.h. `serve` wants them; commands that only
// look at a file take any.
enum class ConfigFileSafety { kAny, kChecked };

struct LoadOptions {
  // Empty: no file, defaults only.
  std::string path;
  std::vector<FlagValue> flags;
  Environment environment;
  ConfigFileSafety safety = ConfigFileSafety::kAny;
};

struct LoadResult {
  ConfigDocument document;
  std::vector<Problem> problems;
};

LoadResult LoadConfig(const LoadOptions& options);

// As LoadConfig(), for text that is already at hand and is called `name`.
LoadResult LoadConfigText(std::string_view name, std::string_view text, const LoadOptions& options);

// The path of the configuration file, which is no key of it.
inline constexpr Override kConfigPath{"--config", "BAO_KMS_PROVIDER_CONFIG",
                                      "BAO_KMS_PROVIDER_CONFIG_PATH"};

struct EnvironmentValue {
  std::string_view name;
  std::string text;
};

// The value of the first variable that is set; an empty variable counts as unset.
std::optional<EnvironmentValue> ReadEnvironment(const Override& override,
                                                const Environment& environment);

// Every key at the table's default.
Config DefaultConfig();

}  // namespace baokms::supervisor
