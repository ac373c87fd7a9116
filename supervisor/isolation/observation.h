// Everything that the verdicts about a provider's isolation are based on: what the kernel shows of
// each process, what the provider reports about itself, and what its users can do.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "supervisor/config/choices.h"
#include "supervisor/config/config.h"
#include "supervisor/isolation/address_filter.h"
#include "supervisor/isolation/process_view.h"
#include "supervisor/registry/pin_latch.h"

namespace baokms::supervisor {

// What a process reports about itself at its start.
struct ReportedProcess {
  bool confined = false;           // the supervisor's verdict
  std::string filter{};            // its name
  std::string refused{};           // the system call that the filter refused; empty: not tried
  std::uint32_t landlock_abi = 0;  // 0: not in force
};

// The member `isolation` of /ready (docs/observability.md#health).
struct ReportedIsolation {
  std::string level;
  bool credential_readable = true;  // by the supervisor, which tried it at its start
  std::optional<std::uint32_t> inherited_filters{};
  std::map<std::string, ReportedProcess> processes{};
  std::map<pid_t, std::string> names{};  // of the processes by their ids
};

// Parses the JSON object; nothing if a member is missing or of another type.
std::optional<ReportedIsolation> ParseIsolation(const std::string& json);

struct IsolationObservation {
  // Empty if the provider did not answer: then only the kernel's side is known.
  std::optional<ReportedIsolation> reported{};
  std::vector<ProcessView> processes{};
  // The processes of which a process with the same user and without capabilities could read the
  // environment: nothing but being dumpable allows that. Empty: could not be tried.
  std::optional<std::vector<std::string>> readable_processes{};
  std::string_view credential{};                     // the key of its file
  std::optional<bool> credential_readable{};         // by the supervisor's user. Empty: not tried
  std::vector<std::string_view> changeable_files{};  // ChangeableFiles() of the provider's users
  // The programs that the supervisor's user could replace; IsChangeable().
  std::vector<std::string> changeable_programs{};
  // fs.suid_dumpable is 1: a program that cannot be read does not protect the memory of a process
  // that starts it.
  bool starts_dumpable = false;
  AddressFilter address_filter = AddressFilter::kUnknown;
  // What the PIN latch has recorded. Empty: no PIN is used.
  std::optional<Result<std::optional<PinRecord>>> pin_latch{};
  bool credential_from_systemd = false;
  bool module = false;         // there is a PKCS#11 module
  bool module_writes = false;  // and it may write below its state directory
  std::size_t workers = 0;     // configured
  VerifyDecrypt verify_decrypt{};

  [[nodiscard]] const ProcessView* Find(const std::string& name) const;

  // Returns what this process reported; empty members if it did not.
  [[nodiscard]] ReportedProcess ReportOf(const std::string& name) const;
};

// Observes the processes of the provider whose supervisor is `supervisor`. Requires root. Returns
// nothing if it has ended.
std::optional<IsolationObservation> Observe(pid_t supervisor,
                                            std::optional<ReportedIsolation> reported,
                                            const Config& config,
                                            const std::string& config_path);

}  // namespace baokms::supervisor
