#include "common/openbao/request_bodies.h"

#include <array>
#include <utility>

#include "common/base/hex.h"
#include "common/contract/encoding.h"
#include "common/contract/utf8.h"

namespace baokms::openbao {
namespace {

constexpr std::string_view kUpperHexDigits = "0123456789ABCDEF";

// Room for the names, quotes and numbers of any of these bodies.
constexpr std::size_t kFraming = 96;

std::size_t HighDigit(char c) {
  return static_cast<unsigned char>(c) >> 4U;
}

std::size_t LowDigit(char c) {
  return static_cast<unsigned char>(c) & 0xFU;
}

void AppendEscaped(WipedBuffer& out, std::string_view text) {
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.Append('\\');
      out.Append(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out.Append("\\u00");
      out.Append(kHexDigits[HighDigit(c)]);
      out.Append(kHexDigits[LowDigit(c)]);
    } else {
      out.Append(c);
    }
  }
}

// Leaves a character as it is if it is unreserved (RFC 3986, section 2.3) or `plain`.
void AppendPercentEncoded(WipedBuffer& out, char c, bool plain) {
  if (plain || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
      std::string_view("-._~").find(c) != std::string_view::npos) {
    out.Append(c);
    return;
  }
  out.Append('%');
  out.Append(kUpperHexDigits[HighDigit(c)]);
  out.Append(kUpperHexDigits[LowDigit(c)]);
}

// Appends `"name":"text"` after `separator`.
void AppendMember(WipedBuffer& out, char separator, std::string_view name, std::string_view text) {
  out.Append(separator);
  out.Append('"');
  out.Append(name);
  out.Append("\":\"");
  AppendEscaped(out, text);
  out.Append('"');
}

bool IsField(std::string_view text, std::size_t max_bytes) {
  return !text.empty() && text.size() <= max_bytes && contract::IsValidUtf8(text);
}

}  // namespace

Result<WipedBuffer> BuildEncrypt(std::int64_t key_version,
                                 std::span<const std::uint8_t> plaintext,
                                 std::string_view aad_base64) {
  if (key_version <= 0 || plaintext.empty() || plaintext.size() > kMaxRequestFieldBytes ||
      !IsField(aad_base64, kMaxRequestFieldBytes)) {
    return Error(ErrorCode::kInvalidArgument, "encrypt request refused");
  }
  WipedBuffer body;
  const std::size_t encoded = contract::Base64Size(plaintext.size());
  body.Reserve(kFraming + encoded + aad_base64.size());
  body.Append("{\"plaintext\":\"");
  const std::size_t written =
      BAOKMS_TRY(contract::EncodeBase64Into(plaintext, body.Extend(encoded)));
  if (written != encoded) {
    return Error(ErrorCode::kInternal, "base64 of another length");
  }
  body.Append('"');
  AppendMember(body, ',', "associated_data", aad_base64);
  body.Append(",\"key_version\":");
  body.Append(std::to_string(key_version));
  body.Append('}');
  return body;
}

Result<WipedBuffer> BuildDecrypt(std::string_view ciphertext, std::string_view aad_base64) {
  return BuildObject(
      std::array{BodyMember{"ciphertext", ciphertext}, BodyMember{"associated_data", aad_base64}});
}

Result<WipedBuffer> BuildObject(std::span<const BodyMember> members) {
  std::size_t size = kFraming;
  for (const BodyMember& member : members) {
    if (!IsField(member.text, member.max_bytes)) {
      return Error(ErrorCode::kInvalidArgument, "request refused");
    }
    size += member.text.size();
  }
  WipedBuffer body;
  body.Reserve(size);
  if (members.empty()) {
    body.Append('{');
  }
  for (const BodyMember& member : members) {
    AppendMember(body, body.size() == 0 ? '{' : ',', member.name, member.text);
  }
  body.Append('}');
  return body;
}

Result<WipedBuffer> BuildRenewal(std::int64_t increment_seconds) {
  if (increment_seconds < 1 || increment_seconds > kMaxLeaseSeconds) {
    return Error(ErrorCode::kInvalidArgument, "renewal request refused");
  }
  const std::string increment = std::to_string(increment_seconds) + "s";
  return BuildObject(std::array{BodyMember{"increment", increment}});
}

std::string EncodePath(std::string_view path) {
  WipedBuffer encoded;
  for (const char c : path) {
    AppendPercentEncoded(encoded, c, c == '/');
  }
  return std::string(encoded.text());
}

void AppendFormEncoded(WipedBuffer& out, std::string_view text) {
  for (const char c : text) {
    AppendPercentEncoded(out, c == ' ' ? '+' : c, c == ' ');
  }
}

}  // namespace baokms::openbao
