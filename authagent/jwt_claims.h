// Parses a compact JWT and compares its claims with the configuration: pure functions. OpenBao
// verifies the signature; these checks find mistakes earlier and can name the wrong claim. Values
// of claims never appear in messages.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "authagent/auth_status.h"
#include "common/base/result.h"
#include "common/openbao/http_limits.h"

namespace baokms::authagent {

// The maximum size of a JWT, in bytes. Real ones have one to four KiB.
inline constexpr std::size_t kMaxJwt = openbao::kMaxJwtBytes;

// The claims that are checked. Times are seconds since 1970, possibly with a fraction (RFC 7519,
// NumericDate), between 0 and the end of the year 9999.
struct JwtClaims {
  std::string issuer;
  std::string subject;
  std::vector<std::string> audiences;
  double expires = 0;
  std::optional<double> not_before;
  std::optional<double> issued_at;

  friend bool operator==(const JwtClaims&, const JwtClaims&) = default;
};

// The expected claims; an empty expectation is not checked.
struct JwtRules {
  std::int64_t min_remaining_s = 0;
  std::int64_t leeway_s = 0;
  std::string expected_issuer{};
  std::vector<std::string> expected_audiences{};
  std::string expected_subject{};
};

// Parses a compact JWT. Refused are: other than three parts, an empty part, characters outside
// base64url, a header without `alg` or with "none", a payload that is not one strict JSON object,
// claims of the wrong type, a missing `exp`. The error text is intended for the operator.
Result<JwtClaims> ParseJwt(std::span<const std::uint8_t> token);

// Checks the claims at `now_unix`, in the order of docs/authentication.md#jwt-from-a-file.
Finding CheckClaims(const JwtClaims& claims, const JwtRules& rules, std::int64_t now_unix);

// Returns the time from which a replacement is overdue: a tenth of the JWT's lifetime before the
// moment at which it is refused as too close to its expiry. Without `iat`, that moment itself.
[[nodiscard]] std::int64_t DueUnix(const JwtClaims& claims, const JwtRules& rules);

}  // namespace baokms::authagent
