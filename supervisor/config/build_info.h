// The build information of this program, as text.

#pragma once

#include <string>

namespace baokms::supervisor {

struct BuildInfo {
  std::string version;     // "v0.1.0" for a release; never empty
  std::string commit;      // "unknown" without a git checkout
  std::string build_date;  // RFC 3339 in UTC, or "unknown"
  std::string dirty;       // "true", "false" or "unknown"
};

}  // namespace baokms::supervisor
