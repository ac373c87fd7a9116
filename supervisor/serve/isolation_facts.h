// What separates the processes of this provider from each other, decided once at its start. The
// kernel's view of each process is in ProcessTable.

#pragma once

#include <cstdint>

#include "common/base/landlock.h"

namespace baokms::supervisor {

// kSingleUser: all processes run as one user. kSeparateUsers: each role has a user of its own
// (docs/security.md).
enum class IsolationLevel : std::uint8_t { kSingleUser, kSeparateUsers };

struct IsolationFacts {
  IsolationLevel level = IsolationLevel::kSingleUser;
  const char* why_single = "";       // UserPlan::why_single
  LandlockState landlock{};          // of the supervisor
  bool credential_readable = false;  // the supervisor can open a credential of the agent's
  bool helpers_readable = false;     // HelperPrograms::readable
  bool files_changeable = false;     // ChangeableFiles() found some
};

// Returns "single-user" or "separate-users".
constexpr const char* ToText(IsolationLevel level) {
  return level == IsolationLevel::kSeparateUsers ? "separate-users" : "single-user";
}

}  // namespace baokms::supervisor
