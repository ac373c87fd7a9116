// An OAuth 2.0 client credentials grant (RFC 6749, section 4.4): the form to send and what the
// response means. Pure functions; no content of a response appears in messages.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "authagent/auth_status.h"
#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "common/openbao/form_post.h"

namespace baokms::authagent {

// How the client authenticates.
enum class ClientAuth : std::uint8_t {
  kBasic,  // client_secret_basic: an Authorization header
  kPost,   // client_secret_post: in the form body
};

// The requested grant and the client's identity.
struct GrantRequest {
  std::string client_id{};
  ClientAuth auth = ClientAuth::kBasic;
  std::vector<std::string> scopes{};
  std::string audience{};                // empty: not sent
  std::vector<std::string> resources{};  // RFC 8707
};

// Builds the request (RFC 6749, section 2.3.1). kInvalidArgument: no client id or no secret.
Result<openbao::FormRequest> BuildGrant(const GrantRequest& request, const SecretBuffer& secret);

struct GrantOutcome {
  Finding finding;
  SecretBuffer access_token;               // empty unless finding.status is kOk
  std::optional<std::int64_t> expires_in;  // seconds
};

// Classifies the response of the endpoint (RFC 6749, sections 4.4.3, 5.1 and 5.2). Returns
// kOAuth2Unavailable without a response or for 429 or 5xx, kOAuth2Rejected for any other
// status except 200, and kOAuth2Response for a 200 that is not a bearer token in JSON. The token
// itself is not examined.
GrantOutcome ClassifyGrant(const openbao::FormAnswer& answer);

}  // namespace baokms::authagent
