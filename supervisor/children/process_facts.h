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
  std::int64_t pid = 0;
  std::uint64_t capabilities = 0;  // of CapPrm, CapEff, CapInh and CapAmb together
  bool no_new_privileges = false;
  bool seccomp_filter = false;  // mode 2
  // System call filters of the main thread, those of a container included. Empty: the kernel is
  // older than Linux 5.10 and does not tell.
  std::optional<std::uint32_t> filters{};
};

// What a process reported about itself at its start.
struct ReportedConfinement {
  std::string filter;  // its name
  std::uint32_t landlock_abi = 0;
  // The system call that its own filter refused when it tried; 0: not tried.
  std::uint32_t refused_syscall = 0;
};

struct ProcessFacts {
  std::string process;  // "supervisor", "worker_0", ...
  std::optional<Confinement> confinement{};
  std::optional<ReportedConfinement> reported{};
  // The process has the number of filters that docs/security.md documents for it, and its own one
  // refused a call: it inherits the mode and the spawner's filter, which prove nothing about it.
  bool filters_in_force = false;
  // It has no capability but those that ProcessTable::Permit() names.
  bool capabilities_as_permitted = false;
  std::optional<std::uint64_t> resident_bytes{};

  // Returns whether every mechanism is in force.
  [[nodiscard]] bool Confined() const;
};

// Thread-safe: the loop's thread fills it, the listeners' threads read it.
class ProcessTable final {
 public:
  ProcessTable() = default;
  ProcessTable(const ProcessTable&) = delete;
  ProcessTable& operator=(const ProcessTable&) = delete;
  ~ProcessTable() = default;

  // Opens the supervisor's own files, and counts the filters that all processes inherit from a
  // container or a service manager. The files of children are added when they pass them. Call it
  // before the supervisor enters its own filter.
  void AddSelf();

  // Names the capabilities that a process has to have (capabilities(7)).
  void Permit(const std::string& process, std::uint64_t capabilities);

  // Records what a process reported, and lists it. It counts as unconfined until it has also passed
  // its file.
  void Report(const std::string& process, ReportedConfinement reported);

  void ReportSelf(ReportedConfinement reported);

  // Kinds whose files are not read are closed.
  void Put(const std::string& process, ipc::ProcDescriptor::Kind kind, UniqueFd descriptor);
  void Forget(const std::string& process);

  // Returns the number of filters that AddSelf() counted; empty where the kernel does not tell.
  [[nodiscard]] std::optional<std::uint32_t> inherited_filters() const;

  // Reads all facts again, in the order of the names.
  [[nodiscard]] std::vector<ProcessFacts> Read() const;

 private:
  struct Entry {
    UniqueFd status{};
    UniqueFd statm{};
    std::optional<ReportedConfinement> reported{};
  };

  [[nodiscard]] bool FiltersInForce(const ProcessFacts& facts) const;

  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;            // guarded by mutex_
  std::map<std::string, std::uint64_t> permitted_;  // guarded by mutex_
  std::optional<std::uint32_t> inherited_filters_;  // guarded by mutex_
};

// CAP_SETGID and CAP_SETUID, which the spawner needs to give each child a user.
inline constexpr std::uint64_t kUserCapabilities = (1U << 6U) | (1U << 7U);

// Returns how many filters a process has whose own one has this name, besides those that all
// processes inherit; 0 if it should have none of this name.
[[nodiscard]] std::uint32_t DocumentedFilters(std::string_view process, std::string_view filter);

// Returns the text after `name`, such as "Pid:", and white space up to the end of its line.
[[nodiscard]] std::optional<std::string_view> StatusField(std::string_view text,
                                                          std::string_view name);

// Parses the text of /proc/<pid>/status; returns nothing if a required line is missing.
[[nodiscard]] std::optional<Confinement> ParseStatus(std::string_view text);

}  // namespace baokms::supervisor
