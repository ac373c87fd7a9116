#include "authagent/oauth2_form.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "common/contract/encoding.h"
#include "common/openbao/form_post.h"
#include "common/openbao/wiped_buffer.h"

namespace baokms::authagent {
namespace {

using openbao::WipedBuffer;

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

// Appends `text` encoded as application/x-www-form-urlencoded.
void AppendEncoded(WipedBuffer& out, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (IsUnreserved(c)) {
      out.Append(c);
    } else if (c == ' ') {
      out.Append('+');
    } else {
      out.Append('%');
      out.Append(kDigits[byte >> 4U]);
      out.Append(kDigits[byte & 0xFU]);
    }
  }
}

void AppendField(WipedBuffer& out, std::string_view name, std::string_view value) {
  if (out.size() > 0) {
    out.Append('&');
  }
  out.Append(name);
  out.Append('=');
  AppendEncoded(out, value);
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
  AppendEncoded(pair, client_id);
  pair.Append(':');
  AppendEncoded(pair, secret);
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

}  // namespace

Result<openbao::FormRequest> BuildGrant(const GrantRequest& request, const SecretBuffer& secret) {
  if (request.client_id.empty() || secret.size() == 0) {
    return Error(ErrorCode::kInvalidArgument, "no client id or no client secret");
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

}  // namespace baokms::authagent
