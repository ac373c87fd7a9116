// Classifies the response of a token endpoint (RFC 6749, sections 4.4.3, 5.1 and 5.2): pure
// functions. No content of a response appears in messages.

#pragma once

#include <cstdint>
#include <optional>

#include "authagent/credential.h"
#include "common/base/secret_buffer.h"
#include "common/openbao/form_post.h"

namespace baokms::authagent {

struct GrantOutcome {
  Finding finding;
  SecretBuffer access_token;               // empty unless finding.status is kOk
  std::optional<std::int64_t> expires_in;  // seconds
};

// Returns kOAuth2Unavailable without a response or for 429 or 5xx, kOAuth2Rejected for any other
// status except 200, and kOAuth2Response for a 200 that is not a bearer token in JSON. The token
// itself is not examined.
GrantOutcome ClassifyGrant(const openbao::FormAnswer& answer);

}  // namespace baokms::authagent
