// How the supervisor and the spawner identify a child: by its role and slot.

#pragma once

#include <cstdint>
#include <string>

#include "proto/ipc.pb.h"

namespace baokms::supervisor {

// The agent has slot 0, and so has the spawner, which is a child as well.
struct ChildKey {
  ipc::Role role = ipc::ROLE_UNKNOWN;
  std::uint32_t slot = 0;
  friend auto operator<=>(const ChildKey&, const ChildKey&) = default;
};

inline constexpr ChildKey kAgentKey{ipc::ROLE_AUTH_AGENT, 0};
inline constexpr ChildKey kSpawnerKey{ipc::ROLE_SPAWNER, 0};

constexpr ChildKey WorkerKey(std::uint32_t slot) {
  return {ipc::ROLE_WORKER, slot};
}

// Returns "auth_agent", "worker_<slot>" or "spawner": the name in logs and metrics.
[[nodiscard]] inline std::string ProcessName(const ChildKey& key) {
  if (key.role == ipc::ROLE_WORKER) {
    return "worker_" + std::to_string(key.slot);
  }
  return key.role == ipc::ROLE_AUTH_AGENT ? "auth_agent" : "spawner";
}

}  // namespace baokms::supervisor
