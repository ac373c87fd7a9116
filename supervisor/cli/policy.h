// The least-privilege OpenBao policy for a configuration.

#pragma once

#include <string>

#include "common/base/result.h"
#include "supervisor/cli/report.h"
#include "supervisor/config/config.h"

namespace baokms::supervisor {

// Whether the token may renew itself.
enum class TokenRenewal { kInclude, kLeaveOut };

// HCL for OutputFormat::kText, OpenBao's JSON policy syntax for kJson. Fails for a Transit mount
// whose path would mean something else in a policy (a wildcard, a template).
Result<std::string> OpenBaoPolicy(const Config& config, TokenRenewal renewal, OutputFormat format);

}  // namespace baokms::supervisor
