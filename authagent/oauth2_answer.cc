#include "authagent/oauth2_answer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "authagent/credential.h"
#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "common/contract/json_reader.h"
#include "common/openbao/error_class.h"
#include "common/openbao/form_post.h"
#include "common/openbao/http_limits.h"

namespace baokms::authagent {
namespace {

using contract::JsonAny;
using openbao::ErrorClass;

// Maximum number of members of one object of a grant: far above any real one.
constexpr std::size_t kMaxMembers = 256;

// A lifetime beyond 100 years is a mistake.
constexpr double kMaxLife = 100.0 * 366 * 24 * 3600;

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool EqualsIgnoringCase(std::string_view text, std::string_view lower_case) {
  return std::ranges::equal(text, lower_case, {}, Lower);
}

// Compares the media type without its parameters.
bool IsJson(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) {
    type.remove_suffix(1);
  }
  return EqualsIgnoringCase(type, "application/json");
}

GrantOutcome Failed(AuthStatus status, std::string_view reason) {
  return {.finding = {status, reason}, .access_token = {}, .expires_in = {}};
}

GrantOutcome NotAGrant(std::string_view reason) {
  return Failed(AuthStatus::kOAuth2Response, reason);
}

bool IsNull(const JsonAny& value) {
  return std::holds_alternative<std::monostate>(value) ||
         std::holds_alternative<contract::JsonNull>(value);
}

// A token that OpenBao accepts as a JWT is a bearer token, so a missing type is accepted
// (docs/decisions/0007-answers-of-token-endpoints.md).
bool IsBearer(const JsonAny& type) {
  const auto* text = std::get_if<std::string>(&type);
  return IsNull(type) || (text != nullptr && EqualsIgnoringCase(*text, "bearer"));
}

// Parses a positive decimal number; returns 0 for any other text.
double ParseDigits(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool digits_only = text.find_first_not_of("0123456789") == std::string_view::npos;
  return error == std::errc() && end == text.data() + text.size() && digits_only
             ? static_cast<double>(number)
             : 0;
}

// Reads `expires_in`, a number or its decimal text. Returns false when it is neither, or out of
// range.
bool ReadLifetime(const JsonAny& value, std::optional<std::int64_t>& seconds) {
  if (IsNull(value)) {
    return true;
  }
  const auto* text = std::get_if<std::string>(&value);
  const auto* number = std::get_if<double>(&value);
  const double life = text != nullptr ? ParseDigits(*text) : (number != nullptr ? *number : 0);
  if (!(life >= 1 && life <= kMaxLife) || std::trunc(life) != life) {
    return false;
  }
  seconds = static_cast<std::int64_t>(life);
  return true;
}

GrantOutcome ReadGrant(std::string_view body) {
  JsonAny access_token;
  JsonAny token_type;
  JsonAny expires_in;
  const std::vector<contract::JsonMember> wanted = {
      {"access_token", &access_token}, {"token_type", &token_type}, {"expires_in", &expires_in}};
  if (!contract::ReadJson(body,
                          {.max_bytes = openbao::kMaxFormAnswerBytes,
                           .max_members = kMaxMembers,
                           .unknown = contract::UnknownMembers::kSkipped},
                          wanted)) {
    return NotAGrant("body is not one JSON object with unique names");
  }
  auto* token = std::get_if<std::string>(&access_token);
  if (token == nullptr || token->empty()) {
    return NotAGrant("access_token is missing");
  }
  Result<SecretBuffer> secret = SecretBuffer::TakeFrom(*token);
  if (!secret) {
    return Failed(AuthStatus::kError, "out of memory for the access token");
  }
  if (!IsBearer(token_type)) {
    return NotAGrant("token_type is not Bearer");
  }
  GrantOutcome outcome = Failed(AuthStatus::kOk, "");
  if (!ReadLifetime(expires_in, outcome.expires_in)) {
    return NotAGrant("expires_in is not a positive number of seconds");
  }
  outcome.access_token = std::move(*secret);
  return outcome;
}

}  // namespace

GrantOutcome ClassifyGrant(const openbao::FormAnswer& answer) {
  constexpr long kOk = 200;
  constexpr long kTooMany = 429;
  constexpr long kServerError = 500;
  if (answer.error_class == ErrorClass::kUndecodable) {
    return NotAGrant("answer is too large");
  }
  if (answer.error_class != ErrorClass::kOk) {
    return Failed(AuthStatus::kOAuth2Unavailable, openbao::ToString(answer.error_class));
  }
  if (answer.status == kTooMany || answer.status >= kServerError) {
    return Failed(AuthStatus::kOAuth2Unavailable, "token endpoint answered 429 or 5xx");
  }
  if (answer.status != kOk) {
    return Failed(AuthStatus::kOAuth2Rejected, "token endpoint refused the grant");
  }
  if (!IsJson(answer.content_type)) {
    return NotAGrant("content type is not application/json");
  }
  return ReadGrant(answer.body.text());
}

}  // namespace baokms::authagent
