// The live state of the Transit key in OpenBao, as read by a command. The function hides how it is
// read: through a process tree of its own, like that of `serve`.

#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/contract/key_profile.h"
#include "supervisor/config/serve_options.h"

namespace baokms::supervisor {

struct LiveKey {
  // Metadata that two workers read identically, with disable_upsert set; empty: see `failure`.
  std::optional<contract::TransitKeyMetadata> metadata;
  // Why there is no metadata. Repeats no text from OpenBao or a file.
  std::string failure;
};

// Returns the command's error for a key without `metadata`.
inline std::string WhyUnknown(const LiveKey& live) {
  return "Transit metadata could not be read: " + live.failure;
}

// Blocks until the key was read or the attempt failed. May be called once per process: it starts
// processes, permanently drops this process's capabilities and installs the filter of `serve`.
using ReadLiveKey = std::function<LiveKey(const ServeOptions&)>;

}  // namespace baokms::supervisor
