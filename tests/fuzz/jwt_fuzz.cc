// Feeds any bytes to the JWT parser. Property: what it accepts has three parts with a signature, a
// lifetime that a check can be made on, and a verdict that does not depend on unrelated bytes of
// the signature.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "authagent/auth_status.h"
#include "authagent/jwt_claims.h"
#include "common/base/result.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using baokms::authagent::JwtClaims;
  const std::span<const std::uint8_t> token(data, size);
  const baokms::Result<JwtClaims> claims = baokms::authagent::ParseJwt(token);
  if (!claims) {
    return 0;
  }
  if (!std::isfinite(claims->expires) || claims->expires < 0 || size < 5 || data[size - 1] == '.') {
    std::abort();
  }
  std::vector<std::uint8_t> other(token.begin(), token.end());
  other.back() = other.back() == 'A' ? 'B' : 'A';
  const baokms::Result<JwtClaims> again = baokms::authagent::ParseJwt(other);
  if (!again || !(*again == *claims)) {
    std::abort();
  }
  const auto now = static_cast<std::int64_t>(claims->expires);
  if (CheckClaims(*claims, {}, now + 1).status == baokms::authagent::AuthStatus::kOk) {
    std::abort();
  }
  return 0;
}
