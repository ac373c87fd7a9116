// What the kernel shows root of one process (proc(5)).

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "supervisor/children/process_facts.h"

namespace baokms::supervisor {

// The program file of a process.
struct ProgramFile {
  std::string path;
  uid_t owner = 0;
  mode_t mode = 0;
};

struct ProcessView {
  std::string name;  // "supervisor", "worker_0", ...: as in metrics and /ready
  pid_t parent = 0;
  Confinement confinement{};
  // Real, effective, saved and file system ids, without duplicates.
  std::set<uid_t> uids{};
  std::set<gid_t> gids{};
  std::vector<gid_t> groups{};
  std::uint64_t locked_kib = 0;  // VmLck, which includes the next
  std::uint64_t secret_kib = 0;  // its mappings of memfd_secret(2)
  // By the name in /proc/<pid>/limits, such as "Max core file size"; "unlimited" or a number, the
  // hard limit.
  std::map<std::string, std::string> limits{};
  // How many descriptors it has of each kind, such as "seqpacket" or "file"; see
  // KindOfDescriptor().
  std::map<std::string, std::size_t> descriptors{};
  ProgramFile program{};

  [[nodiscard]] pid_t pid() const { return static_cast<pid_t>(confinement.pid); }
};

// Returns nothing if the process has ended or may not be seen.
std::optional<ProcessView> ViewProcess(pid_t pid);

// Returns the processes that are descendants of this one, itself first: the children of a provider
// and of its spawner.
std::vector<ProcessView> ViewTree(pid_t root);

}  // namespace baokms::supervisor
