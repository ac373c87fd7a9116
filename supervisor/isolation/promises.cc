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
  for (const ProcessView& process : observation.processes) {
    if (!expected.contains(process.name)) {
      problems.push_back(process.name + " runs " + process.program.path);
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
  const bool separate = IsSeparate(observation);
  for (const auto& [uid, names] : roles) {
    if (separate && names.size() > 1) {
      problems.push_back(Join({names.begin(), names.end()}, ", ") + " share the user " +
                         std::to_string(uid));
    }
  }
  if (!problems.empty() || separate) {
    return FailIfAny(problems, std::string(kSeparateUsers));
  }
  return {CheckStatus::kWarn,
          "single-user: file permissions do not separate the processes; a compromised supervisor, "
          "spawner or agent can open every file of the user"};
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
  for (const ProcessView& process : observation.processes) {
    std::string problem = FilterProblem(process, observation.ReportOf(process.name),
                                        observation.reported->inherited_filters.value_or(0));
    if (!problem.empty()) {
      problems.push_back(std::move(problem));
    }
  }
  return FailIfAny(problems);
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
  Problems replaceable;
  Problems readable;
  for (const ProcessView& process : observation.processes) {
    const ProgramFile& program = process.program;
    if ((program.mode & kWritableByOthers) != 0) {
      replaceable.push_back(program.path + " can be changed by its group or by others");
    } else if (process.name != "supervisor" &&
               (program.owner != 0 || (program.mode & kReadable) != 0)) {
      readable.push_back(program.path +
                         " can be read, and so can the memory of a process that "
                         "starts it: chown root:root and chmod 0111");
    }
  }
  return replaceable.empty() ? WarnIfAny(Unique(std::move(readable)))
                             : FailIfAny(Unique(std::move(replaceable)));
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
      AddLooseLimits(process, {{"Max open files", 96}, {"Max data size", 128 * kMebibyte}},
                     problems);
    } else if (process.name == "auth_agent" && observation.module) {
      AddLooseLimits(process, {{"Max open files", 512}, {"Max data size", 512 * kMebibyte}},
                     problems);
    } else if (process.name == "auth_agent") {
      AddLooseLimits(process, {{"Max open files", 96}, {"Max data size", 96 * kMebibyte}},
                     problems);
    }
  }
  return FailIfAny(problems);
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
  Problems problems;
  for (const ProcessView& process : observation.processes) {
    if (process.name == "spawner" || process.name.starts_with("worker_") ||
        (process.name == "auth_agent" && !observation.module)) {
      const Problems foreign =
          ForeignDescriptors(process, process.name == "spawner" ? spawner : child);
      problems.insert(problems.end(), foreign.begin(), foreign.end());
    }
  }
  return FailIfAny(problems);
}

// Only the processes that hold secrets: a token is in a worker from its first login on.
Verdict JudgeSecretPages(const IsolationObservation& observation) {
  Problems locked;
  for (const ProcessView& process : observation.processes) {
    if (IsChild(process) && process.locked_kib == 0 && !process.secret_memory) {
      return {CheckStatus::kFail, process.name + " has no locked memory"};
    }
    if (IsChild(process) && !process.secret_memory) {
      locked.push_back(process.name);
    }
  }
  return locked.empty() ? Verdict{CheckStatus::kPass, "memfd_secret"}
                        : Verdict{CheckStatus::kWarn,
                                  "locked pages, which root can read, in " + Join(locked, ", ")};
}

Verdict JudgeLandlock(const IsolationObservation& observation) {
  Problems missing;
  for (const char* name : {"supervisor", "auth_agent"}) {
    if (observation.ReportOf(name).landlock_abi == 0) {
      missing.push_back(std::string("not in force for ") + name);
    }
  }
  return WarnIfAny(missing);
}

Verdict JudgeCredentials(const IsolationObservation& observation) {
  if (!observation.readable_credentials) {
    return {CheckStatus::kFail, "could not be tried"};
  }
  Problems problems;
  for (const std::string& key : *observation.readable_credentials) {
    problems.push_back("the supervisor's user can read the file of " + key);
  }
  if (!problems.empty() && observation.reported && !observation.reported->credential_readable) {
    return {CheckStatus::kPass,
            Join(problems, "; ") + ", but Landlock keeps the supervisor from it"};
  }
  return WarnIfAny(problems);
}

// Whoever may write these files chooses the OpenBao that this provider believes.
Verdict JudgeConfiguration(const IsolationObservation& observation) {
  std::set<uid_t> users;
  for (const ProcessView& process : observation.processes) {
    users.insert(process.uids.begin(), process.uids.end());
  }
  users.erase(0);  // root owns what nobody else may change
  Problems problems;
  for (const ConfiguredFile& file : observation.trusted_files) {
    if (users.contains(file.owner)) {
      problems.push_back(file.path + " (" + file.key +
                         ") belongs to the user of the provider: chown root");
    } else if ((file.mode & kWritableByOthers) != 0) {
      problems.push_back(file.path + " (" + file.key +
                         ") can be changed by its group or by others");
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
