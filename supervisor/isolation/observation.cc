#include "supervisor/isolation/observation.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "supervisor/config/conditions.h"
#include "supervisor/isolation/attempt.h"

namespace baokms::supervisor {
namespace {

using Json = nlohmann::json;
using KeyAndPath = std::pair<std::string, std::string>;

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

KeyAndPath CredentialOf(const Config& config) {
  const AuthConfig& auth = config.auth;
  if (kWithJwtFile.holds(config)) {
    return {"auth.jwt.jwtFile", auth.jwt.jwt_file};
  }
  if (kWithOAuth2.holds(config)) {
    return {"auth.jwt.oauth2.clientSecretFile", auth.jwt.oauth2.client_secret_file};
  }
  return {"auth.cert.pkcs11.pinFile", auth.cert.pkcs11.pin_file};
}

std::optional<std::vector<std::string>> ReadableCredentials(const ProcessView& supervisor,
                                                            const Config& config) {
  const auto [key, path] = CredentialOf(config);
  const auto failures = TryToRead(UserOf(supervisor), {path});
  if (!failures) {
    return std::nullopt;
  }
  return failures->front() == 0 ? std::vector{key} : std::vector<std::string>();
}

std::vector<ConfiguredFile> TrustedFiles(const Config& config, const std::string& config_path) {
  std::vector<ConfiguredFile> files;
  for (const auto& [key, path] :
       {KeyAndPath("--config", config_path),
        KeyAndPath("openbao.caCertFile", config.openbao.ca_cert_file),
        KeyAndPath("auth.jwt.oauth2.caCertFile", config.auth.jwt.oauth2.ca_cert_file)}) {
    struct stat info {};

    if (!path.empty() && ::stat(path.c_str(), &info) == 0) {
      files.push_back(
          {.key = key, .path = path, .owner = info.st_uid, .mode = info.st_mode & 07777});
    }
  }
  return files;
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
  observation.readable_credentials = ReadableCredentials(*own, config);
  observation.trusted_files = TrustedFiles(config, config_path);
  observation.module = kWithPkcs11.holds(config);
  observation.module_writes =
      observation.module && !config.auth.cert.pkcs11.state_directory.empty();
  observation.workers = static_cast<std::size_t>(config.isolation.workers);
  return observation;
}

}  // namespace baokms::supervisor
