// Evaluates a compiled system call filter in user space, so that a test can put every call to it,
// also those of an architecture that this machine does not have.

#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"

namespace baokms {

using BuildPolicyFunction = std::function<Result<SeccompPolicy>()>;

// One of libseccomp's SCMP_ARCH_* values, which are the kernel's AUDIT_ARCH_* as well.
using Architecture = std::uint32_t;

// Returns the text of the policy for an architecture of any machine (SeccompPolicy::ToText()).
Result<std::string> TextOf(const BuildPolicyFunction& build, Architecture architecture);

class FilterProgram final {
 public:
  // Compiles the policy for an architecture of any machine.
  static Result<FilterProgram> Compile(const BuildPolicyFunction& build, Architecture architecture);

  // Returns what the kernel would do with the call: one of SECCOMP_RET_*, with its data. Throws
  // std::logic_error on an instruction that the kernel refuses in a filter.
  [[nodiscard]] std::uint32_t ActionOf(const seccomp_data& call) const;

 private:
  explicit FilterProgram(std::string_view bytes);

  std::vector<sock_filter> instructions_;
};

}  // namespace baokms
