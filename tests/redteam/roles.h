// The processes whose real filters the attacks of this folder enter.

#pragma once

#include <cerrno>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/base/filtered_child.h"

namespace baokms {

// What an attempt returns for the result of one system call.
inline int ErrnoOf(int result) {
  return result < 0 ? errno : 0;
}

struct Role {
  std::string name;
  EnterFilter enter;
  bool ends_on_refusal;  // a child; in the supervisor the call fails with EPERM

  friend void PrintTo(const Role& role, std::ostream* out) { *out << role.name; }
};

std::vector<Role> AllRoles();

// Names the instances of a suite, which is instantiated with AllRoles().
std::string NameOfRole(const testing::TestParamInfo<Role>& info);

// A test of this kind is run once in each role.
class RedTeamTest : public testing::TestWithParam<Role> {
 protected:
  // Expects that the attempt failed at this call, as a refused call does in this role.
  static void ExpectRefusedCall(const ChildOutcome& outcome, int syscall);

  // For a deed that changes nothing outside of its process: it works outside, and inside it fails
  // at this call.
  static void ExpectRefused(const Attempt& attempt, int syscall);
};

}  // namespace baokms
