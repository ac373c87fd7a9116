#include "authagent/jwt_claims.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>

#include "common/base/error.h"
#include "common/contract/encoding.h"
#include "common/contract/json_reader.h"
#include "common/setup/require.h"

namespace baokms::authagent {
namespace {

using contract::JsonAny;
using setup::Invalid;

// 9999-12-31T23:59:59Z. Later times are not plausible; up to here a double is exact to 1/4096 s.
constexpr double kLatestTime = 253'402'300'799.0;

// Maximum number of claims of one token, and of members of one claim: far above any real token.
constexpr std::size_t kMaxMembers = 256;

struct JwtParts {
  std::string_view header;
  std::string_view payload;
};

bool IsBase64UrlCharacter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '=';
}

Result<JwtParts> Split(std::string_view token) {
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return Invalid("the token does not have the three parts of a JWT");
  }
  const JwtParts parts{token.substr(0, first), token.substr(first + 1, second - first - 1)};
  const std::string_view signature = token.substr(second + 1);
  if (parts.header.empty() || parts.payload.empty()) {
    return Invalid("the header or the payload of the JWT is empty");
  }
  if (signature.empty()) {
    return Invalid("the JWT has no signature");
  }
  if (!std::ranges::all_of(signature, IsBase64UrlCharacter)) {
    return Invalid("the signature of the JWT is not base64url");
  }
  return parts;
}

// Accepts the padding that base64 would have.
Result<std::string> DecodePart(std::string_view part) {
  const std::size_t unpadded = part.find_last_not_of('=') + 1;
  const std::size_t padding = part.size() - unpadded;
  const Result<std::vector<std::uint8_t>> bytes =
      contract::DecodeBase64Url(part.substr(0, unpadded));
  if (!bytes || (padding > 0 && (padding > 2 || part.size() % 4 != 0))) {
    return Invalid("the header or the payload of the JWT is not base64url");
  }
  return std::string(bytes->begin(), bytes->end());
}

// Reads the header or payload. Unknown claims are skipped.
bool ReadObject(std::string_view text, const std::vector<contract::JsonMember>& members) {
  return contract::ReadJson(text,
                            {.max_bytes = kMaxJwt,
                             .max_members = kMaxMembers,
                             .unknown = contract::UnknownMembers::kSkipped},
                            members)
      .has_value();
}

Status CheckHeader(std::string_view part) {
  const std::string text = BAOKMS_TRY(DecodePart(part));
  JsonAny alg;
  if (!ReadObject(text, {{"alg", &alg}})) {
    return Invalid("the header of the JWT is not one JSON object with unique names");
  }
  const auto* name = std::get_if<std::string>(&alg);
  if (name == nullptr || name->empty()) {
    return Invalid("the header of the JWT has no alg");
  }
  std::string lower = *name;
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (lower == "none") {
    return Invalid("the JWT is not signed: its alg is none");
  }
  return {};
}

bool IsAbsent(const JsonAny& claim) {
  return std::holds_alternative<std::monostate>(claim);
}

Result<std::string> TextClaim(const JsonAny& claim, Literal problem) {
  const auto* text = std::get_if<std::string>(&claim);
  if (text == nullptr && !IsAbsent(claim)) {
    return Invalid(problem);
  }
  return text == nullptr ? std::string() : *text;
}

Result<std::optional<double>> TimeClaim(const JsonAny& claim, Literal problem) {
  if (IsAbsent(claim)) {
    return std::optional<double>();
  }
  const auto* time = std::get_if<double>(&claim);
  if (time == nullptr || !(*time >= 0 && *time <= kLatestTime)) {
    return Invalid(problem);
  }
  return std::optional<double>(*time);
}

Result<std::vector<std::string>> AudienceClaim(const JsonAny& claim) {
  if (IsAbsent(claim)) {
    return std::vector<std::string>();
  }
  if (const auto* one = std::get_if<std::string>(&claim)) {
    return std::vector<std::string>{*one};
  }
  if (const auto* list = std::get_if<std::vector<std::string>>(&claim)) {
    return *list;
  }
  return Invalid("aud is neither a string nor a list of strings");
}

Result<JwtClaims> ReadClaims(std::string_view part) {
  const std::string text = BAOKMS_TRY(DecodePart(part));
  JsonAny iss;
  JsonAny sub;
  JsonAny aud;
  JsonAny exp;
  JsonAny nbf;
  JsonAny iat;
  if (!ReadObject(text, {{"iss", &iss},
                         {"sub", &sub},
                         {"aud", &aud},
                         {"exp", &exp},
                         {"nbf", &nbf},
                         {"iat", &iat}})) {
    return Invalid("the payload of the JWT is not one JSON object with unique names");
  }
  JwtClaims claims;
  claims.issuer = BAOKMS_TRY(TextClaim(iss, "iss is not a string"));
  claims.subject = BAOKMS_TRY(TextClaim(sub, "sub is not a string"));
  claims.audiences = BAOKMS_TRY(AudienceClaim(aud));
  const std::optional<double> expires = BAOKMS_TRY(TimeClaim(exp, "exp is not a point in time"));
  if (!expires) {
    return Invalid("exp is missing");
  }
  claims.expires = *expires;
  claims.not_before = BAOKMS_TRY(TimeClaim(nbf, "nbf is not a point in time"));
  claims.issued_at = BAOKMS_TRY(TimeClaim(iat, "iat is not a point in time"));
  return claims;
}

// Rounded up.
std::string Seconds(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds);
  return std::to_string(seconds > static_cast<double>(whole) ? whole + 1 : whole) + " s";
}

Finding Refused(std::string reason) {
  return {AuthStatus::kJwtInvalid, std::move(reason)};
}

// Beyond the leeway, a token from the future means that two clocks disagree.
Finding FromTheFuture(std::string_view claim, double ahead) {
  return Refused(std::string(claim) + " is " + Seconds(ahead) +
                 " in the future: compare the clocks of the issuer and this node");
}

// `left` is negative within the leeway after the end.
std::string Until(double left) {
  return left > 0 ? "the JWT expires in " + Seconds(left) + ", within auth.jwt.minRemainingTtl"
                  : "the JWT expired " + Seconds(-left) + " ago";
}

bool SharesAny(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::ranges::find_first_of(a, b) != a.end();
}

}  // namespace

Result<JwtClaims> ParseJwt(std::span<const std::uint8_t> token) {
  const JwtParts parts =
      BAOKMS_TRY(Split({reinterpret_cast<const char*>(token.data()), token.size()}));
  BAOKMS_TRY(CheckHeader(parts.header));
  return ReadClaims(parts.payload);
}

Finding CheckClaims(const JwtClaims& claims, const JwtRules& rules, std::int64_t now_unix) {
  const auto now = static_cast<double>(now_unix);
  const auto leeway = static_cast<double>(rules.leeway_s);
  if (claims.not_before && now + leeway < *claims.not_before) {
    return FromTheFuture("nbf", *claims.not_before - now);
  }
  if (claims.issued_at && now + leeway < *claims.issued_at) {
    return FromTheFuture("iat", *claims.issued_at - now);
  }
  if (!rules.expected_issuer.empty() && claims.issuer != rules.expected_issuer) {
    return Refused("iss is not auth.jwt.expectedIssuer");
  }
  if (!rules.expected_audiences.empty() && !SharesAny(claims.audiences, rules.expected_audiences)) {
    return Refused("aud contains none of auth.jwt.expectedAudience");
  }
  if (!rules.expected_subject.empty() && claims.subject != rules.expected_subject) {
    return Refused("sub is not auth.jwt.expectedSubject");
  }
  if (now - leeway >= claims.expires) {
    return {AuthStatus::kJwtExpired, Until(claims.expires - now)};
  }
  if (claims.expires - now <= static_cast<double>(rules.min_remaining_s)) {
    return {AuthStatus::kJwtNearExpiry, Until(claims.expires - now)};
  }
  return {AuthStatus::kOk, ""};
}

std::int64_t DueUnix(const JwtClaims& claims, const JwtRules& rules) {
  constexpr double kShare = 0.1;
  const double life = std::max(0.0, claims.expires - claims.issued_at.value_or(claims.expires));
  return static_cast<std::int64_t>(claims.expires - static_cast<double>(rules.min_remaining_s) -
                                   life * kShare);
}

}  // namespace baokms::authagent
