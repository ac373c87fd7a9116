// Builds the form of an OAuth 2.0 client credentials grant (RFC 6749, sections 2.3.1 and 4.4) as
// bytes to send. It reads no file and sends nothing.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

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

// Builds the request. kInvalidArgument: no client id or no secret.
Result<openbao::FormRequest> BuildGrant(const GrantRequest& request, const SecretBuffer& secret);

}  // namespace baokms::authagent
