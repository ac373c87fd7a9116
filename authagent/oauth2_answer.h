// What a token endpoint's answer is worth (RFC 6749, sections 4.4.3, 5.1 and 5.2): pure functions.
// Nothing of an answer gets into a message.

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

// kOAuth2Unavailable: no answer, 429 or 5xx. kOAuth2Rejected: any other status but 200.
// kOAuth2Response: a 200 that is no bearer token as JSON. The token itself is not looked at.
GrantOutcome ClassifyGrant(const openbao::FormAnswer& answer);

}  // namespace baokms::authagent
