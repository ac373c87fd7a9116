#include "supervisor/isolation/promises.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "common/base/landlock.h"
#include "common/base/result.h"
#include "ipc/limits.h"
#include "supervisor/isolation/describe.h"

namespace baokms::supervisor {
namespace {

constexpr std::string_view kSeparateUsers = "separate-users";
constexpr mode_t kReadable = S_IRUSR | S_IRGRP | S_IROTH;
constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;

using Problems = std::vector<std::string>;

Verdict FailIfAny(const Problems& problems, std::string good = "") {
  return problems.empty() ? Verdict{CheckStatus::kPass, std::move(good)}
                          : Verdict{CheckStatus::kFail, Join(problems, "; ")};
}

Verdict WarnIfAny(const Problems& problems, std::string good = "") {
  return problems.empty() ? Verdict{CheckStatus::kPass, std::move(good)}
                          : Verdict{CheckStatus::kWarn, Join(problems, "; ")};
}

bool IsChild(const ProcessView& process) {
  return process.name == "auth_agent" || process.name.starts_with("worker_");
}

// Adds every limit that is above its documented value. A lower one, of the service, stays in force.
void AddLooseLimits(const ProcessView& process,
                    std::initializer_list<std::pair<const char*, std::uint64_t>> limits,
                    Problems& problems) {
  for (const auto& [name, value] : limits) {
    const auto found = process.limits.find(name);
    const std::string actual = found == process.limits.end() ? "unknown" : found->second;
    std::uint64_t number = 0;
    const char* const end = actual.data() + actual.size();
    const bool known = std::from_chars(actual.data(), end, number).ptr == end;
    if (!known || number > value) {
      problems.push_back(process.name + ": " + name + " is " + actual + ", not " +
                         std::to_string(value));
    }
  }
}

Verdict JudgeTree(const IsolationObservation& observation) {
  Problems problems;
  std::set<std::string> expected{"supervisor", "spawner", "auth_agent"};
  for (std::size_t slot = 0; slot < observation.workers; ++slot) {
    expected.insert("worker_" + std::to_string(slot));
  }
  for (const std::string& name : expected) {
    if (observation.Find(name) == nullptr) {
      problems.push_back(name + " does not run");
    }
  }
  std::set<std::string_view> seen;
  for (const ProcessView& process : observation.processes) {
    if (!expected.contains(process.name)) {
      problems.push_back(process.name + " runs " + process.program.path);
    } else if (!seen.insert(process.name).second) {
      problems.push_back(process.name + " runs twice: " + process.program.path);
    }
  }
  return FailIfAny(problems);
}

// The level decides what is promised.
bool IsSeparate(const IsolationObservation& observation) {
  return observation.reported && observation.reported->level == kSeparateUsers;
}

// The spawner runs as the user of the supervisor, and the workers may share one.
std::string RoleOf(const ProcessView& process) {
  if (process.name.starts_with("worker_")) {
    return "the workers";
  }
  return process.name == "spawner" ? "supervisor" : process.name;
}

Verdict JudgeUsers(const IsolationObservation& observation) {
  Problems problems;
  std::map<uid_t, std::set<std::string>> roles;
  for (const ProcessView& process : observation.processes) {
    if (process.uids.size() != 1 || process.gids.size() != 1) {
      problems.push_back(process.name + " can change between users");
    }
    roles[*process.uids.begin()].insert(RoleOf(process));
  }
  if (!IsSeparate(observation)) {
    return problems.empty()
               ? Verdict{CheckStatus::kWarn,
                         "single-user: file permissions do not separate the processes; a "
                         "compromised spawner can open every file of the user, and so can "
                         "supervisor and agent where Landlock is not in force"}
               : FailIfAny(problems);
  }
  for (const auto& [uid, names] : roles) {
    if (names.size() > 1) {
      problems.push_back(Join({names.begin(), names.end()}, ", ") + " share the user " +
                         std::to_string(uid));
    }
  }
  if (problems.empty() && roles.contains(0)) {
    return {CheckStatus::kWarn, Join({roles[0].begin(), roles[0].end()}, ", ") +
                                    " runs as root: set isolation.supervisorUser, or give the "
                                    "directory of state.path to the user of the service"};
  }
  return FailIfAny(problems, std::string(kSeparateUsers));
}

Verdict JudgePrivileges(const IsolationObservation& observation) {
  Problems problems;
  for (const ProcessView& process : observation.processes) {
    const std::uint64_t permitted =
        IsSeparate(observation) && process.name == "spawner" ? kUserCapabilities : 0;
    if ((process.confinement.capabilities & ~permitted) != 0) {
      problems.push_back(process.name + " has capabilities");
    }
    if (!process.confinement.no_new_privileges) {
      problems.push_back(process.name + " can gain privileges by exec");
    }
  }
  return FailIfAny(problems);
}

// Returns what is wrong with the filters of one process; empty if nothing is. The number proves
// little alone, and neither does the effect (docs/security.md).
std::string FilterProblem(const ProcessView& process,
                          const ReportedProcess& own,
                          std::uint32_t inherited) {
  const std::uint32_t documented = DocumentedFilters(process.name, own.filter);
  const std::optional<std::uint32_t>& filters = process.confinement.filters;
  if (!process.confinement.seccomp_filter || documented == 0) {
    return process.name + " has no filter of its own";
  }
  if (own.refused.empty()) {
    return process.name + " has not proved that its filter refuses anything";
  }
  return !filters || *filters == inherited + documented
             ? ""
             : process.name + " has " + std::to_string(*filters) + " filters, not " +
                   std::to_string(inherited + documented);
}

Verdict JudgeFilters(const IsolationObservation& observation) {
  if (!observation.reported) {
    return {CheckStatus::kWarn, "the provider does not say which filters it has"};
  }
  Problems problems;
  bool counted = observation.reported->inherited_filters.has_value();
  for (const ProcessView& process : observation.processes) {
    counted = counted && process.confinement.filters;
    std::string problem = FilterProblem(process, observation.ReportOf(process.name),
                                        observation.reported->inherited_filters.value_or(0));
    if (!problem.empty()) {
      problems.push_back(std::move(problem));
    }
  }
  return counted || !problems.empty()
             ? FailIfAny(problems,
                         "besides " +
                             std::to_string(observation.reported->inherited_filters.value_or(0)) +
                             " that a container or the service manager installed")
             : Verdict{CheckStatus::kWarn,
                       "the kernel does not say how many filters a process has; Linux 5.10 does"};
}

Verdict JudgeMemory(const IsolationObservation& observation) {
  if (!observation.readable_processes) {
    return {CheckStatus::kFail, "could not be tried"};
  }
  Problems problems;
  for (const std::string& name : *observation.readable_processes) {
    problems.push_back("its own user can read the memory of " + name);
  }
  return FailIfAny(problems);
}

Verdict JudgePrograms(const IsolationObservation& observation) {
  Problems broken;
  Problems weak;
  for (const ProcessView& process : observation.processes) {
    const ProgramFile& program = process.program;
    if ((program.mode & kWritableByOthers) != 0) {
      broken.push_back(program.path + " can be changed by its group or by others");
    } else if (process.name != "supervisor" &&
               (program.owner != 0 || (program.mode & kReadable) != 0)) {
      weak.push_back(program.path +
                     " can be read, and so can the memory of a process that "
                     "starts it: chown root:root and chmod 0111");
    }
  }
  // No other process may write or rename a file (docs/security.md#what-a-filter-does).
  if (observation.ReportOf("supervisor").landlock_abi == 0) {
    for (const std::string& path : observation.changeable_programs) {
      weak.push_back(path +
                     ", or a directory above it, belongs to the supervisor's user, and Landlock "
                     "does not keep the supervisor from replacing it");
    }
  }
  if (observation.starts_dumpable) {
    broken.emplace_back(
        "fs.suid_dumpable is 1, so the memory of a process that starts can be read although its "
        "program cannot: sysctl --write fs.suid_dumpable=0");
  }
  return broken.empty() ? WarnIfAny(Unique(std::move(weak))) : FailIfAny(Unique(std::move(broken)));
}

Verdict JudgeTraces(const IsolationObservation& observation) {
  Problems problems;
  for (const ProcessView& process : observation.processes) {
    AddLooseLimits(process, {{"Max core file size", 0}}, problems);
    const bool writes = process.name == "auth_agent" && observation.module_writes;
    if (IsChild(process) && !writes) {
      AddLooseLimits(process, {{"Max file size", 0}}, problems);
    }
  }
  return FailIfAny(problems);
}

Verdict JudgeLimits(const IsolationObservation& observation) {
  constexpr std::uint64_t kMebibyte = 1U << 20U;
  Problems problems;
  for (const ProcessView& process : observation.processes) {
    if (process.name.starts_with("worker_")) {
      AddLooseLimits(process,
                     {{"Max open files", 96},
                      {"Max data size", 128 * kMebibyte},
                      {"Max address space", 512 * kMebibyte}},
                     problems);
    } else if (process.name == "auth_agent" && observation.module) {
      AddLooseLimits(process,
                     {{"Max open files", 512},
                      {"Max data size", 512 * kMebibyte},
                      {"Max address space", 16384 * kMebibyte}},
                     problems);
    } else if (process.name == "auth_agent") {
      AddLooseLimits(process,
                     {{"Max open files", 96},
                      {"Max data size", 96 * kMebibyte},
                      {"Max address space", 512 * kMebibyte}},
                     problems);
    }
  }
  return FailIfAny(problems, observation.module
                                 ? "the PKCS#11 module may map shared memory, which only a limit "
                                   "of the service or the container bounds"
                                 : "");
}

// What a process has open of kinds that it never needs.
Problems ForeignDescriptors(const ProcessView& process, const std::set<std::string_view>& known) {
  Problems problems;
  for (const auto& [kind, count] : process.descriptors) {
    if (!known.contains(kind)) {
      problems.push_back(process.name + " has " + std::to_string(count) + " open of kind " + kind);
    }
  }
  return problems;
}

// A module of the agent opens what it likes, within the agent's filter.
Verdict JudgeDescriptors(const IsolationObservation& observation) {
  const std::set<std::string_view> child{"null",    "seqpacket", "stream", "tcp",  "eventpoll",
                                         "eventfd", "timerfd",   "memory", "proc", "socket"};
  const std::set<std::string_view> spawner{"null",    "seqpacket", "eventpoll",
                                           "eventfd", "timerfd",   "signalfd",
                                           "memory",  "program",   "proc"};
  std::set<std::string_view> agent = child;
  if (observation.credential_from_systemd && IsSeparate(observation)) {
    agent.insert("file");  // which the spawner's child opened for it
  }
  Problems problems;
  for (const ProcessView& process : observation.processes) {
    if (process.name == "spawner" || process.name.starts_with("worker_") ||
        (process.name == "auth_agent" && !observation.module)) {
      const Problems foreign = ForeignDescriptors(process, process.name == "spawner"      ? spawner
                                                           : process.name == "auth_agent" ? agent
                                                                                          : child);
      problems.insert(problems.end(), foreign.begin(), foreign.end());
    }
  }
  return FailIfAny(problems);
}

// Only the processes that hold secrets: a token is in a worker from its first login on.
Verdict JudgeSecretPages(const IsolationObservation& observation) {
  Problems locked;
  for (const ProcessView& process : observation.processes) {
    if (!IsChild(process)) {
      continue;
    }
    if (process.locked_kib == 0) {
      return {CheckStatus::kFail, process.name + " has no locked memory"};
    }
    // A module locks what it likes.
    const bool module = observation.module && process.name == "auth_agent";
    if (process.secret_kib == 0 || (process.locked_kib > process.secret_kib && !module)) {
      locked.push_back(process.name + (process.secret_kib == 0 ? "" : " (besides memfd_secret)"));
    }
  }
  return locked.empty() ? Verdict{CheckStatus::kPass, "memfd_secret"}
                        : Verdict{CheckStatus::kWarn,
                                  "locked pages, which root can read, in " + Join(locked, ", ")};
}

// What the Landlock of an older kernel lacks; empty if nothing.
std::string MissingFrom(std::uint32_t abi) {
  Problems missing;
  for (const auto& [first, rule] :
       {std::pair(kTruncateAbi, "truncating files (from Linux 6.2)"),
        std::pair(kPortAbi, "TCP ports (from Linux 6.7)"),
        std::pair(kScopeAbi, "abstract sockets and signals (from Linux 6.12)")}) {
    if (abi < first) {
      missing.emplace_back(rule);
    }
  }
  return Join(missing, ", ");
}

Verdict JudgeLandlock(const IsolationObservation& observation) {
  Problems problems;
  for (const char* name : {"supervisor", "auth_agent"}) {
    const std::uint32_t abi = observation.ReportOf(name).landlock_abi;
    const std::string missing = MissingFrom(abi);
    if (abi == 0) {
      problems.push_back(std::string("not in force for ") + name);
    } else if (!missing.empty()) {
      problems.push_back(name + (", ABI " + std::to_string(abi)) + ": no limit to " + missing);
    }
  }
  return WarnIfAny(problems);
}

Verdict JudgeCredentials(const IsolationObservation& observation) {
  if (!observation.credential_readable) {
    return {CheckStatus::kFail, "could not be tried"};
  }
  if (!*observation.credential_readable) {
    return {};
  }
  const std::string readable =
      "the supervisor's user can read the file of " + std::string(observation.credential);
  if (observation.reported && !observation.reported->credential_readable) {
    return {CheckStatus::kPass, readable + ", but Landlock keeps the supervisor from it"};
  }
  return {CheckStatus::kWarn, readable};
}

// Whoever may change these files chooses the OpenBao that the next start believes.
Verdict JudgeConfiguration(const IsolationObservation& observation) {
  Problems problems;
  for (const std::string_view key : observation.changeable_files) {
    problems.push_back("the file of " + std::string(key) +
                       ", or a directory above it, belongs to a user of the provider");
  }
  return WarnIfAny(problems);
}

Verdict JudgeVerification(const IsolationObservation& observation) {
  if (observation.workers < 2) {
    return {CheckStatus::kWarn, "isolation.workers is 1, and the only worker verifies itself"};
  }
  const auto running = std::ranges::count_if(observation.processes, [](const ProcessView& process) {
    return process.name.starts_with("worker_");
  });
  if (running < 2) {
    return {CheckStatus::kWarn, "there is no second worker at the moment"};
  }
  switch (observation.verify_decrypt) {
    case VerifyDecrypt::kOff:
      return {CheckStatus::kWarn, "isolation.verifyDecrypt is off: plaintexts are not checked"};
    case VerifyDecrypt::kSample:
      return {CheckStatus::kPass, "of plaintexts a sample, before they are given"};
    case VerifyDecrypt::kAlways:
      break;
  }
  return {CheckStatus::kPass, "of plaintexts all, before they are given"};
}

Verdict JudgeNetwork(const IsolationObservation& observation) {
  switch (observation.address_filter) {
    case AddressFilter::kList:
      return {CheckStatus::kPass,
              "the control group has a list of addresses; systemctl show "
              "--property=IPAddressAllow,IPAddressDeny prints it"};
    case AddressFilter::kNone:
      return {CheckStatus::kWarn,
              "the control group has no list of addresses (IPAddressDeny=); what a network policy "
              "permits is not known here"};
    case AddressFilter::kUnknown:
      break;
  }
  return {CheckStatus::kWarn, "unknown: the programs of the control group cannot be inspected"};
}

Verdict JudgePin(const IsolationObservation& observation) {
  if (!observation.pin_latch) {
    return {CheckStatus::kPass, "no PIN is used"};
  }
  constexpr const char* kClear = "bao-kms-provider pin-latch --clear";
  const Result<std::optional<PinRecord>>& latch = *observation.pin_latch;
  if (!latch) {
    return {CheckStatus::kFail, std::string("the PIN latch is not readable: ") + kClear};
  }
  Problems problems;
  if (*latch) {
    const PinRecord& record = **latch;
    problems.push_back(std::string(record.kind == PinRecord::Kind::kRefused
                                       ? "the token refused the PIN"
                                       : "a PIN was tried, and how that ended is not known") +
                       "; it is not tried again before it changes, or " + kClear);
    if ((record.tag & ~std::uint32_t{ipc::kPinTagBits}) != 0) {
      problems.push_back(std::string("the latch of an earlier version tells 16 bits of a hash of "
                                     "the PIN: ") +
                         kClear);
    }
  }
  return WarnIfAny(problems);
}

constexpr std::array kPromises = {
    Promise{"promise.tree", "The provider consists of its documented processes", JudgeTree},
    Promise{"promise.users", "Each role has a user of its own", JudgeUsers},
    Promise{"promise.privileges", "No process has privileges or can gain any", JudgePrivileges},
    Promise{"promise.filters", "Each process is under a system call filter of its own",
            JudgeFilters},
    Promise{"promise.memory", "No process can read the memory of another", JudgeMemory},
    Promise{"promise.programs", "The programs can neither be replaced nor read", JudgePrograms},
    Promise{"promise.traces", "No secret reaches a core file or a file of a child", JudgeTraces},
    Promise{"promise.limits", "A child cannot use up the node", JudgeLimits},
    Promise{"promise.descriptors", "A child has nothing open but its channels and connections",
            JudgeDescriptors},
    Promise{"promise.secret_pages", "Secrets are in pages that are not swapped", JudgeSecretPages},
    Promise{"promise.landlock", "Landlock limits the files of supervisor and agent", JudgeLandlock},
    Promise{"promise.credentials", "The supervisor cannot read the credential", JudgeCredentials},
    Promise{"promise.configuration", "The provider cannot change what it trusts",
            JudgeConfiguration},
    Promise{"promise.verification", "No worker is believed alone", JudgeVerification},
    Promise{"promise.network", "The provider reaches listed addresses only", JudgeNetwork},
    Promise{"promise.pin", "No PIN is tried twice, and little is told of it", JudgePin},
};

}  // namespace

std::span<const Promise> Promises() {
  return kPromises;
}

void AddVerdicts(const IsolationObservation& observation, CheckReport& report) {
  for (const ProcessView& process : observation.processes) {
    report.Add(CheckStatus::kPass, "process." + process.name, "Process",
               DescribeProcess(process, observation));
  }
  for (const Promise& promise : kPromises) {
    Verdict verdict = promise.judge(observation);
    report.Add(verdict.status, std::string(promise.id), std::string(promise.title),
               std::move(verdict.message));
  }
}

}  // namespace baokms::supervisor
