// The exit codes that scripts rely on.

#pragma once

namespace baokms::supervisor {

enum class ExitCode : int {
  kOk = 0,
  kUnclassified = 1,
  kUsage = 2,
  kConfig = 3,   // loading or validation, including values given through flags
  kCheck = 4,    // a diagnostic check failed
  kRuntime = 5,  // the provider failed after validation
};

}  // namespace baokms::supervisor
