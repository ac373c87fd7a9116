// Makes compact JWTs from JSON texts, for the tests of the auth agent. The signature is no
// signature: nothing in the agent verifies one.

#pragma once

#include <string>
#include <string_view>

#include "common/contract/encoding.h"

namespace baokms::authagent {

inline std::string JwtText(std::string_view payload,
                           std::string_view header = R"({"alg":"RS256","typ":"JWT"})",
                           std::string_view signature = "c2lnbmF0dXJl") {
  return contract::EncodeBase64Url(contract::AsBytes(header)) + "." +
         contract::EncodeBase64Url(contract::AsBytes(payload)) + "." + std::string(signature);
}

}  // namespace baokms::authagent
