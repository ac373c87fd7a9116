#include "tests/policies/all_policies.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "authagent/sandbox.h"
#include "supervisor/serve/sandbox.h"
#include "supervisor/spawner/sandbox.h"
#include "worker/sandbox.h"

namespace baokms {
namespace {

using authagent::ModuleStage;
using supervisor::ListenerRights;

constexpr const char* kEveryProcess = "The filters of a process";
constexpr const char* kNoSocketOfItsOwn = "Without a KMS socket of its own";
constexpr const char* kModule = "With a PKCS#11 module";
constexpr const char* kUsers = "With a user for each role";

// Ends the name of a spawner's policy whose children have users of their own.
constexpr const char* kWithUsers = "_users";

// What a PKCS#11 module may do, with the name and the columns that it adds.
struct ModuleVariant {
  ipc::ModuleAccess access{};
  std::string name{};
  std::string simpler{};
  std::vector<DocumentedColumn> columns{};
};

// Throws std::logic_error for a value that has no column, so that nobody adds one without it.
std::string NameOf(ipc::ModuleAccess::Network network) {
  switch (network) {
    case ipc::ModuleAccess::NETWORK_NONE:
      return "";
    case ipc::ModuleAccess::NETWORK_UNIX:
      return "unix";
    case ipc::ModuleAccess::NETWORK_INET:
      return "inet";
    default:
      throw std::logic_error("ModuleAccess.Network: not known to the test");
  }
}

std::vector<ModuleVariant> AllModules() {
  std::vector<ModuleVariant> all;
  for (int number = ipc::ModuleAccess::Network_MIN; number <= ipc::ModuleAccess::Network_MAX;
       ++number) {
    const auto network = static_cast<ipc::ModuleAccess::Network>(number);
    const std::string name = NameOf(network);
    ModuleVariant reading;
    reading.access.set_network(network);
    reading.name = name.empty() ? "_module" : "_module_" + name;
    if (!name.empty()) {
      reading.columns.push_back({kModule, "`network: " + name + "`"});
    }
    ModuleVariant writing = reading;
    writing.access.set_state_directory("/state");
    writing.name += "_writing";
    writing.simpler = reading.name;
    reading.simpler = name.empty() ? "" : "_module";
    reading.columns.push_back({kModule, "no `stateDirectory`"});
    writing.columns.push_back({kModule, "`stateDirectory`"});
    all.push_back(std::move(reading));
    all.push_back(std::move(writing));
  }
  return all;
}

template <typename Item>
std::vector<Item> Join(std::vector<Item> items, const std::vector<Item>& more) {
  items.insert(items.end(), more.begin(), more.end());
  return items;
}

void AddSupervisors(std::vector<NamedPolicy>& all) {
  all.push_back({"supervisor", "", {{kEveryProcess, "supervisor"}}, false, [] {
                   return supervisor::BuildSupervisorPolicy(ListenerRights::kBindKmsSocket,
                                                            kDocumentedPid);
                 }});
  all.push_back({"supervisor_of_another_socket",
                 "supervisor",
                 {{kEveryProcess, "supervisor"}, {kNoSocketOfItsOwn, "supervisor"}},
                 false,
                 [] {
                   return supervisor::BuildSupervisorPolicy(ListenerRights::kNone, kDocumentedPid);
                 }});
}

std::vector<std::string> SpawnersOf(const std::string& module) {
  return {"spawner" + module, "spawner" + module + kWithUsers};
}

std::vector<std::string> AllSpawners() {
  std::vector<std::string> all = SpawnersOf("");
  for (const ModuleVariant& module : AllModules()) {
    all = Join(all, SpawnersOf(module.name));
  }
  return all;
}

void AddAgents(std::vector<NamedPolicy>& all) {
  const DocumentedColumn agent = {kEveryProcess, "agent"};
  all.push_back({"agent", "", {agent}, true, authagent::BuildPolicy, AllSpawners()});
  for (const ModuleVariant& module : AllModules()) {
    const std::string serving = "agent" + module.name;
    const auto columns = Join({agent, {kModule, "agent"}}, module.columns);
    const auto build = [access = module.access](ModuleStage stage) {
      return [access, stage] {
        return authagent::BuildModulePolicy(access, stage);
      };
    };
    all.push_back({serving, "agent" + module.simpler, columns, true, build(ModuleStage::kServing),
                   SpawnersOf(module.name)});
    all.push_back({serving + "_loading", serving, Join(columns, {{kModule, "agent, loading"}}),
                   true, build(ModuleStage::kLoading), SpawnersOf(module.name)});
  }
}

NamedPolicy Spawner(const std::string& name,
                    const std::string& beyond,
                    const std::vector<DocumentedColumn>& columns,
                    const ipc::SpawnerSetup& setup) {
  return {name, beyond, Join({{kEveryProcess, "spawner"}}, columns), true, [setup] {
            return supervisor::BuildSpawnerPolicy(setup);
          }};
}

// For one kind of module, or for none.
void AddSpawners(const ModuleVariant& module,
                 const ipc::SpawnerSetup& setup,
                 std::vector<NamedPolicy>& all) {
  ipc::SpawnerSetup with_users = DocumentedUsers();
  with_users.MergeFrom(setup);
  const std::string name = "spawner" + module.name;
  const std::string simpler = module.name.empty() ? "" : "spawner" + module.simpler;
  all.push_back(Spawner(name, simpler, module.columns, setup));
  all.push_back(
      Spawner(name + kWithUsers, name, Join(module.columns, {{kUsers, "spawner"}}), with_users));
}

std::vector<NamedPolicy> MakeAllPolicies() {
  std::vector<NamedPolicy> all;
  all.push_back(
      {"worker", "", {{kEveryProcess, "worker"}}, true, worker::BuildPolicy, AllSpawners()});
  AddSupervisors(all);
  AddAgents(all);
  AddSpawners({}, {}, all);
  for (ModuleVariant module : AllModules()) {
    ipc::SpawnerSetup setup;
    *setup.mutable_module() = module.access;
    module.columns = Join({{kModule, "spawner"}}, module.columns);
    AddSpawners(module, setup, all);
  }
  return all;
}

}  // namespace

ipc::SpawnerSetup DocumentedUsers() {
  ipc::SpawnerSetup setup;
  for (const DocumentedUser& user : kDocumentedUsers) {
    const bool agent = &user == &kDocumentedUsers.back();
    ipc::UserSetup& child =
        agent ? *setup.mutable_users()->mutable_agent() : *setup.mutable_users()->add_workers();
    child.set_uid(user.uid);
    child.set_gid(user.gid);
  }
  return setup;
}

const std::vector<NamedPolicy>& AllPolicies() {
  static const std::vector<NamedPolicy> all = MakeAllPolicies();
  return all;
}

const NamedPolicy& PolicyNamed(const std::string& name) {
  const std::vector<NamedPolicy>& all = AllPolicies();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const NamedPolicy& policy) { return policy.name == name; });
  if (found == all.end()) {
    throw std::logic_error("no policy " + name);
  }
  return *found;
}

}  // namespace baokms
