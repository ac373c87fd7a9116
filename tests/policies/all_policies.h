// Every system call filter that a process of ours enters, whatever its configuration is.

#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "proto/setup.pb.h"
#include "tests/policies/documented_calls.h"
#include "tests/policies/filter_program.h"

namespace baokms {

struct NamedPolicy {
  std::string name;    // made of letters, digits and underscores
  std::string beyond;  // the name of the policy that it is compared with; empty: none is simpler
  std::vector<DocumentedColumn> columns;  // what docs/security.md says of it
  bool ends_on_refusal;                   // the process, with SIGSYS; else the call, with EPERM
  BuildPolicyFunction build;
  std::vector<std::string> below{};  // the names of the spawners' policies that are inherited
};

// With the process of kDocumentedPid, and the users of kDocumentedUsers.
const std::vector<NamedPolicy>& AllPolicies();

// Throws std::logic_error when there is none.
const NamedPolicy& PolicyNamed(const std::string& name);

// The set-up of a spawner whose children have the users of kDocumentedUsers.
ipc::SpawnerSetup DocumentedUsers();

}  // namespace baokms
