// The live state of the Transit key in OpenBao, as a command reads it. The function hides how it is
// read: through a process tree of its own, like that of `serve`.

#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/contract/key_profile.h"
#include "supervisor/config/serve_options.h"

namespace baokms::supervisor {

struct LiveKey {
  // Read by two workers that say the same, and with disable_upsert set; empty: see `failure`.
  std::optional<contract::TransitKeyMetadata> metadata;
  // Why there is none. It repeats nothing that OpenBao or a file says.
  std::string failure;
};

// For a key without `metadata`, as the command's error.
inline std::string WhyUnknown(const LiveKey& live) {
  return "Transit metadata could not be read: " + live.failure;
}

// Blocks until there is an answer or none to be had. Once per process: it starts processes, gives
// up this process's capabilities for good and enters the filter of `serve`.
using ReadLiveKey = std::function<LiveKey(const ServeOptions&)>;

}  // namespace baokms::supervisor
