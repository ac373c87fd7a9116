#include "authagent/oauth2_grant.h"

#include <strings.h>

#include <charconv>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include "common/base/error.h"
#include "common/contract/encoding.h"
#include "common/contract/json_reader.h"
#include "common/openbao/error_class.h"
#include "common/openbao/http_limits.h"
#include "common/openbao/request_bodies.h"
#include "common/openbao/wiped_buffer.h"

namespace baokms::authagent {
namespace {

using contract::JsonAny;
using openbao::ErrorClass;
using openbao::WipedBuffer;

void AppendField(WipedBuffer& out, std::string_view name, std::string_view value) {
  if (out.size() > 0) {
    out.Append('&');
  }
  out.Append(name);
  out.Append('=');
  openbao::AppendFormEncoded(out, value);
}

std::string JoinedScopes(const std::vector<std::string>& scopes) {
  std::string joined;
  for (const std::string& scope : scopes) {
    joined.append(joined.empty() ? "" : " ").append(scope);
  }
  return joined;
}

// Both halves are form-encoded before they are joined (RFC 6749, section 2.3.1).
Result<WipedBuffer> BasicHeader(std::string_view client_id, std::string_view secret) {
  WipedBuffer pair;
  pair.Reserve(3 * (client_id.size() + secret.size()) + 1);
  openbao::AppendFormEncoded(pair, client_id);
  pair.Append(':');
  openbao::AppendFormEncoded(pair, secret);
  constexpr std::string_view kName = "Authorization: Basic ";
  const std::size_t size = contract::Base64Size(pair.size());
  WipedBuffer header;
  header.Reserve(kName.size() + size + 1);
  header.Append(kName);
  const std::size_t written =
      BAOKMS_TRY(contract::EncodeBase64Into(contract::AsBytes(pair.text()), header.Extend(size)));
  if (written != size) {
    return Error(ErrorCode::kInternal, "base64 of another length");
  }
  header.Append('\0');
  return header;
}

// Maximum number of members of one object of a grant: far above any real one.
constexpr std::size_t kMaxMembers = 256;

// A lifetime beyond 100 years is a mistake.
constexpr double kMaxLife = 100.0 * 366 * 24 * 3600;

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// Compares the media type without its parameters.
bool IsJson(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  return EqualsIgnoringCase(type.substr(0, type.find_last_not_of(" \t") + 1), "application/json");
}

GrantOutcome Failed(AuthStatus status, std::string_view reason) {
  return {.finding = {status, std::string(reason)}, .access_token = {}, .expires_in = {}};
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
    return NotAGrant("the response body is not one JSON object with unique names");
  }
  auto* token = std::get_if<std::string>(&access_token);
  if (token == nullptr || token->empty()) {
    return NotAGrant("the response has no access_token");
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

Result<openbao::FormRequest> BuildGrant(const GrantRequest& request, const SecretBuffer& secret) {
  if (request.client_id.empty() || secret.size() == 0) {
    return Error(ErrorCode::kInvalidArgument, "the client id or the client secret is empty");
  }
  const std::string_view secret_text = secret.RevealText();
  openbao::FormRequest form;
  // Reserves enough for every character in its encoded form: a growing buffer would copy the
  // secret.
  form.body.Reserve(3 * (secret_text.size() + request.client_id.size()) + 512);
  AppendField(form.body, "grant_type", "client_credentials");
  if (request.auth == ClientAuth::kPost) {
    AppendField(form.body, "client_id", request.client_id);
    AppendField(form.body, "client_secret", secret_text);
  } else {
    form.authorization = BAOKMS_TRY(BasicHeader(request.client_id, secret_text));
  }
  if (!request.scopes.empty()) {
    AppendField(form.body, "scope", JoinedScopes(request.scopes));
  }
  if (!request.audience.empty()) {
    AppendField(form.body, "audience", request.audience);
  }
  for (const std::string& resource : request.resources) {
    AppendField(form.body, "resource", resource);
  }
  return form;
}

GrantOutcome ClassifyGrant(const openbao::FormAnswer& answer) {
  constexpr long kOk = 200;
  constexpr long kTooMany = 429;
  constexpr long kServerError = 500;
  if (answer.error_class == ErrorClass::kUndecodable) {
    return NotAGrant("the response is too large");
  }
  if (answer.error_class != ErrorClass::kOk) {
    return Failed(AuthStatus::kOAuth2Unavailable, openbao::ToString(answer.error_class));
  }
  if (answer.status == kTooMany || answer.status >= kServerError) {
    return Failed(AuthStatus::kOAuth2Unavailable, "the token endpoint answered 429 or 5xx");
  }
  if (answer.status != kOk) {
    return Failed(AuthStatus::kOAuth2Rejected, "the token endpoint refused the grant");
  }
  if (!IsJson(answer.content_type)) {
    return NotAGrant("the content type of the response is not application/json");
  }
  return ReadGrant(answer.body.text());
}

}  // namespace baokms::authagent
