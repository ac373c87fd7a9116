// What the kernel says about each process of ours, read from descriptors that the processes passed
// of their own /proc files: nobody else may open those. Never guessed, never remembered.

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

// One process's confinement, from /proc/<pid>/status (proc(5)).
struct Confinement {
  std::uint32_t uid = 0;         // effective
  bool no_capabilities = false;  // CapPrm, CapEff, CapInh, CapAmb all empty
  bool no_new_privileges = false;
  bool seccomp_filter = false;  // mode 2
  std::uint32_t seccomp_filters = 0;
  std::string filter_name;  // reported by the process at start; empty: nothing reported
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

  // Opens the supervisor's own files. Later the table is filled by what children pass.
  void AddSelf();

  void Put(const std::string& process, ipc::ProcDescriptor::Kind kind, UniqueFd descriptor);
  void Report(const std::string& process, const ipc::ConfinementReport& report);
  void Forget(const std::string& process);

  // Reads everything anew, in the order of the names.
  [[nodiscard]] std::vector<ProcessFacts> Read() const;

 private:
  struct Entry {
    UniqueFd status{};
    UniqueFd statm{};
    UniqueFd limits{};
    std::string filter_name{};
  };

  static ProcessFacts FactsOf(const std::string& process, const Entry& entry);

  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // guarded by mutex_
};

// Reads the text of /proc/<pid>/status; nothing when a line that counts is missing.
[[nodiscard]] std::optional<Confinement> ParseStatus(std::string_view text);

}  // namespace baokms::supervisor
