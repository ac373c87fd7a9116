#include "supervisor/isolation/observation.h"

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <set>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "supervisor/config/changeable_files.h"
#include "supervisor/config/conditions.h"
#include "supervisor/config/derived.h"
#include "supervisor/isolation/attempt.h"
#include "supervisor/registry/file_ops.h"

namespace baokms::supervisor {
namespace {

using Json = nlohmann::json;

// Throws as the library does.
ReportedIsolation Parse(const Json& body) {
  ReportedIsolation reported;
  reported.level = body.at("level").get<std::string>();
  reported.credential_readable = body.at("credential").get<std::string>() != "unreadable";
  if (body.contains("inherited_filters")) {
    reported.inherited_filters = body.at("inherited_filters").get<std::uint32_t>();
  }
  for (const auto& [name, details] : body.at("details").items()) {
    reported.processes[name] = {.confined = body.at("processes").value(name, "") == "confined",
                                .filter = details.value("filter", ""),
                                .refused = details.value("refused", ""),
                                .landlock_abi = details.value("landlock_abi", 0U)};
    if (const pid_t pid = details.value("pid", pid_t{0}); pid != 0) {
      reported.names[pid] = name;
    }
  }
  return reported;
}

// The program decides: a process chooses its own name, and the provider reports what it knows.
std::string_view ProcessOf(const ProgramFile& program) {
  const std::string_view path = program.path;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  // The kernel appends " (deleted)" once an upgrade has replaced the file.
  for (const auto& [file, process] :
       {std::pair("bao-kms-provider", "supervisor"), std::pair("bao-kms-spawner", "spawner"),
        std::pair("bao-kms-authagent", "auth_agent"), std::pair("bao-kms-worker", "worker_")}) {
    if (name.starts_with(file)) {
      return process;
    }
  }
  return "unknown_";
}

// Workers look alike: the provider's report tells them apart, or else their order.
void NameProcesses(const std::optional<ReportedIsolation>& reported,
                   std::vector<ProcessView>& processes) {
  std::size_t next = 0;
  for (ProcessView& process : processes) {
    process.name = ProcessOf(process.program);
    const bool numbered = process.name.ends_with('_');
    if (reported && reported->names.contains(process.pid())) {
      const std::string& known = reported->names.at(process.pid());
      process.name = known.starts_with(process.name) ? known : process.name + "?";
    } else if (numbered) {
      process.name.append(reported ? "?" : "").append(std::to_string(next++));
    }
  }
  std::ranges::sort(processes, {}, &ProcessView::name);
}

AttemptUser UserOf(const ProcessView& process) {
  return {.uid = *process.uids.begin(), .gid = *process.gids.begin(), .groups = process.groups};
}

// /proc/<pid>/environ needs what ptrace(2) needs to read, and no more (proc(5)).
std::optional<std::vector<std::string>> ReadableProcesses(
    const std::vector<ProcessView>& processes) {
  std::vector<std::string> readable;
  for (const ProcessView& process : processes) {
    const auto failures =
        TryToRead(UserOf(process), {"/proc/" + std::to_string(process.pid()) + "/environ"});
    if (!failures) {
      return std::nullopt;
    }
    if (failures->front() == 0) {
      readable.push_back(process.name);
    }
  }
  return readable;
}

std::optional<bool> IsReadable(const std::string& path, const ProcessView& by) {
  const auto failures = TryToRead(UserOf(by), {path});
  return failures ? std::optional(failures->front() == 0) : std::nullopt;
}

std::set<uid_t> UsersOf(const std::vector<ProcessView>& processes) {
  std::set<uid_t> users;
  for (const ProcessView& process : processes) {
    users.insert(process.uids.begin(), process.uids.end());
  }
  return users;
}

// The other values of proc(5) permit nobody but root to open such a memory.
bool StartsDumpable() {
  int mode = 0;
  return std::ifstream("/proc/sys/fs/suid_dumpable") >> mode && mode == 1;
}

Result<std::optional<PinRecord>> ReadPinLatch(const std::string& state_path) {
  SystemFileOps ops;
  const PinLatch latch = BAOKMS_TRY(PinLatch::Open(ops, state_path));
  return latch.Read();
}

}  // namespace

std::optional<ReportedIsolation> ParseIsolation(const std::string& json) {
  try {
    return Parse(Json::parse(json));
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

const ProcessView* IsolationObservation::Find(const std::string& name) const {
  const auto found = std::ranges::find(processes, name, &ProcessView::name);
  return found == processes.end() ? nullptr : &*found;
}

ReportedProcess IsolationObservation::ReportOf(const std::string& name) const {
  if (!reported) {
    return {};
  }
  const auto found = reported->processes.find(name);
  return found == reported->processes.end() ? ReportedProcess{} : found->second;
}

std::optional<IsolationObservation> Observe(pid_t supervisor,
                                            std::optional<ReportedIsolation> reported,
                                            const Config& config,
                                            const std::string& config_path) {
  IsolationObservation observation;
  observation.reported = std::move(reported);
  observation.processes = ViewTree(supervisor);
  NameProcesses(observation.reported, observation.processes);
  const ProcessView* own = observation.Find("supervisor");
  if (own == nullptr) {
    return std::nullopt;
  }
  observation.readable_processes = ReadableProcesses(observation.processes);
  const ConfiguredFile credential = CredentialOf(config);
  observation.credential = credential.key;
  observation.credential_from_systemd = config.auth.credential_from_systemd;
  observation.credential_readable = IsReadable(credential.path, *own);
  observation.changeable_files =
      ChangeableFiles(config, config_path, UsersOf(observation.processes));
  for (const ProcessView& process : observation.processes) {
    if (IsChangeable(own->uids, process.program.path)) {
      observation.changeable_programs.push_back(process.program.path);
    }
  }
  observation.starts_dumpable = StartsDumpable();
  observation.address_filter = AddressFilterOf(own->pid());
  observation.module = kWithPkcs11.holds(config);
  if (observation.module) {
    observation.pin_latch = ReadPinLatch(config.state.path);
  }
  observation.module_writes =
      observation.module && !config.auth.cert.pkcs11.state_directory.empty();
  observation.workers = static_cast<std::size_t>(config.isolation.workers);
  observation.verify_decrypt = config.isolation.verify_decrypt;
  return observation;
}

}  // namespace baokms::supervisor
