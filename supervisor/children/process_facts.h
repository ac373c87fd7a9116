// The kernel's facts about each process of this program, read from descriptors of the processes'
// own /proc files, which they pass because no other process may open them. Nothing is guessed or
// cached.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/unique_fd.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {

// The confinement of one process, from /proc/<pid>/status (proc(5)).
struct Confinement {
  bool no_capabilities = false;  // CapPrm, CapEff, CapInh, CapAmb all empty
  bool no_new_privileges = false;
  bool seccomp_filter = false;  // mode 2
};

struct ProcessFacts {
  std::string process;  // "supervisor", "worker_0", ...
  std::optional<Confinement> confinement;
  std::optional<std::uint64_t> resident_bytes;
};

// Thread-safe: the loop's thread fills it, the listeners' threads read it.
class ProcessTable final {
 public:
  ProcessTable() = default;
  ProcessTable(const ProcessTable&) = delete;
  ProcessTable& operator=(const ProcessTable&) = delete;
  ~ProcessTable() = default;

  // Opens the supervisor's own files. The files of children are added when they pass them.
  void AddSelf();

  // Lists a process, which counts as unconfined until it passes its file.
  void Add(const std::string& process);

  // Kinds whose files are not read are closed.
  void Put(const std::string& process, ipc::ProcDescriptor::Kind kind, UniqueFd descriptor);
  void Forget(const std::string& process);

  // Reads all facts again, in the order of the names.
  [[nodiscard]] std::vector<ProcessFacts> Read() const;

 private:
  struct Entry {
    UniqueFd status{};
    UniqueFd statm{};
  };

  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // guarded by mutex_
};

// Parses the text of /proc/<pid>/status; returns nothing if a required line is missing.
[[nodiscard]] std::optional<Confinement> ParseStatus(std::string_view text);

}  // namespace baokms::supervisor
