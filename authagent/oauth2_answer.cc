#include "authagent/oauth2_answer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "authagent/credential.h"
#include "authagent/strict_object.h"
#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "common/openbao/error_class.h"
#include "common/openbao/form_post.h"

namespace baokms::authagent {
namespace {

using openbao::ErrorClass;

// A lifetime beyond 100 years is a mistake.
constexpr double kLongestLife = 100.0 * 366 * 24 * 3600;

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool EqualsIgnoringCase(std::string_view text, std::string_view lower_case) {
  return std::ranges::equal(text, lower_case, {}, Lower);
}

// The media type without its parameters.
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

// Empty when the member is not text.
std::string TakeText(JsonMembers& members, std::string_view name) {
  const auto found = members.find(name);
  auto* text = found == members.end() ? nullptr : std::get_if<std::string>(&found->second);
  return text == nullptr ? std::string() : std::move(*text);
}

GrantOutcome ReadGrant(std::string_view body) {
  constexpr std::array<std::string_view, 3> kWanted = {"access_token", "token_type", "expires_in"};
  Result<JsonMembers> members = ReadStrictObject(body, kWanted);
  if (!members) {
    return NotAGrant("body not one JSON object with unique names");
  }
  std::string token = TakeText(*members, "access_token");
  if (token.empty()) {
    return NotAGrant("access_token missing");
  }
  Result<SecretBuffer> secret =
      SecretBuffer::TakeFrom({reinterpret_cast<std::uint8_t*>(token.data()), token.size()});
  if (!secret) {
    return Failed(AuthStatus::kError, "no memory for the access token");
  }
  if (!EqualsIgnoringCase(TakeText(*members, "token_type"), "bearer")) {
    return NotAGrant("token_type not Bearer");
  }
  GrantOutcome outcome = Failed(AuthStatus::kOk, "");
  if (const auto found = members->find("expires_in"); found != members->end()) {
    const double* seconds = std::get_if<double>(&found->second);
    if (seconds == nullptr || !(*seconds >= 1 && *seconds <= kLongestLife) ||
        std::trunc(*seconds) != *seconds) {
      return NotAGrant("expires_in not a positive number of seconds");
    }
    outcome.expires_in = static_cast<std::int64_t>(*seconds);
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
    return NotAGrant("answer too large");
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
    return NotAGrant("content type not application/json");
  }
  return ReadGrant(answer.body.text());
}

}  // namespace baokms::authagent
