#include "common/openbao/answers.h"

#include <strings.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "common/base/secret_buffer.h"
#include "common/contract/encoding.h"
#include "common/contract/json_reader.h"
#include "common/contract/key_id.h"
#include "common/contract/limits.h"
#include "common/openbao/http_limits.h"
#include "ipc/limits.h"

namespace baokms::openbao {
namespace {

using contract::JsonMember;
using contract::JsonText;
using contract::Presence;

constexpr Error kNotTheDocumentedJson{ErrorCode::kInvalidArgument, "not the documented JSON"};

std::string FilterRequestId(std::string id) {
  const bool good =
      id.size() <= ipc::kMaxRequestId && std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.' || c == ':';
      });
  return good ? std::move(id) : std::string();
}

JsonMember RequestId(std::string& target) {
  return {"request_id", &target, Presence::kOptional};
}

// Unknown members are skipped, because any version of OpenBao may add some.
bool Read(std::string_view body, const std::vector<JsonMember>& members) {
  return contract::ReadJson(body,
                            {.max_bytes = kMaxMetadataBodyBytes,
                             .max_members = kMaxAnswerMembers,
                             .unknown = contract::UnknownMembers::kSkipped},
                            members)
      .has_value();
}

// Reads a secret as it appears in the response. Empty text leaves the buffer empty. `text` is the
// JSON library's own buffer, which is wiped.
JsonText Secret(SecretBuffer& target) {
  return {[&target](std::string& text) {
    if (text.empty()) {
      return true;
    }
    Result<SecretBuffer> secret = SecretBuffer::TakeFrom(text);
    ::explicit_bzero(text.data(), text.size());
    if (secret) {
      target = std::move(secret).value();
    }
    return secret.has_value();
  }};
}

bool DecodeInto(SecretBuffer& target, std::string_view text) {
  if (text.size() % 4 != 0) {
    return false;
  }
  const std::size_t padding = text.ends_with("==") ? 2 : (text.ends_with('=') ? 1 : 0);
  Result<SecretBuffer> secret = SecretBuffer::Allocate(text.size() / 4 * 3 - padding);
  if (!secret) {
    return false;
  }
  const auto written = contract::DecodeBase64Into(text, secret->RevealMutable());
  if (!written || *written != secret->size()) {
    return false;
  }
  target = std::move(secret).value();
  return true;
}

// The same for a secret in base64, which must be canonical.
JsonText Base64Secret(SecretBuffer& target) {
  return {[&target](std::string& text) {
    const bool is_stored = text.empty() || DecodeInto(target, text);
    ::explicit_bzero(text.data(), text.size());
    return is_stored;
  }};
}

// Reads `data.keys` of the metadata: the creation second of each version.
contract::JsonIntegers Versions(std::vector<contract::KeyVersion>& versions) {
  return {[&versions](std::string_view name, std::int64_t created) {
    const auto number = contract::ParsePositiveDecimal(name);
    if (!number || versions.size() >= contract::kMaxListedVersions) {
      return false;
    }
    versions.push_back({.number = *number, .created_at_unix = created});
    return true;
  }};
}

contract::JsonTexts KnownPhrases(ErrorTexts& texts) {
  return {[&texts](std::string& text) {
    std::ranges::transform(text, text.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    texts.sealed |= text.find("sealed") != std::string::npos;
    texts.authentication_failed |= text.find("message authentication failed") != std::string::npos;
  }};
}

// Completes a parser: `parsed` is the result of Read().
template <typename Value>
Result<Answer<Value>> Finish(bool parsed, Answer<Value> answer) {
  if (!parsed) {
    return kNotTheDocumentedJson;
  }
  answer.request_id = FilterRequestId(std::move(answer.request_id));
  return answer;
}

Result<Answer<AuthValue>> ParseAuth(std::string_view body, Presence token) {
  Answer<AuthValue> answer{};
  AuthValue& auth = answer.value;
  const bool parsed =
      Read(body,
           {{"auth", std::vector<JsonMember>{{"client_token", Secret(auth.token), token},
                                             {"lease_duration", &auth.lease_seconds},
                                             {"renewable", &auth.renewable},
                                             {"num_uses", &auth.num_uses, Presence::kOptional}}},
            RequestId(answer.request_id)}) &&
      auth.lease_seconds >= 0 && auth.lease_seconds <= kMaxLeaseSeconds &&
      auth.token.size() <= kMaxTokenBytes &&
      (token == Presence::kOptional || auth.token.size() > 0);
  const bool safe = IsHeaderSafe(auth.token.RevealText());
  return Finish(parsed && safe, std::move(answer));
}

}  // namespace

Result<Answer<contract::TransitKeyMetadata>> ParseKeyMetadata(std::string_view body) {
  Answer<contract::TransitKeyMetadata> answer{};
  contract::TransitKeyMetadata& key = answer.value;
  // Not in every response: OpenBao states the first only for derived keys, and older servers lack
  // others.
  key.convergent_encryption = false;
  key.soft_deleted = false;
  key.imported_key = false;
  const std::vector<JsonMember> data = {
      {"name", &key.name},
      {"type", &key.type},
      {"latest_version", &key.latest_version},
      {"min_available_version", &key.min_available_version},
      {"min_encryption_version", &key.min_encryption_version},
      {"min_decryption_version", &key.min_decryption_version},
      {"keys", Versions(key.versions)},
      {"derived", &key.derived},
      {"convergent_encryption", &key.convergent_encryption, Presence::kOptional},
      {"exportable", &key.exportable},
      {"allow_plaintext_backup", &key.allow_plaintext_backup},
      {"deletion_allowed", &key.deletion_allowed},
      {"imported_key", &key.imported_key, Presence::kOptional},
      {"soft_deleted", &key.soft_deleted, Presence::kOptional},
      {"supports_encryption", &key.supports_encryption},
      {"supports_decryption", &key.supports_decryption},
      {"supports_derivation", &key.supports_derivation, Presence::kOptional},
      {"supports_signing", &key.supports_signing, Presence::kOptional},
      {"auto_rotate_period", &key.auto_rotate_period, Presence::kOptional},
  };
  const bool parsed = Read(body, {{"data", data}, RequestId(answer.request_id)});
  return Finish(parsed, std::move(answer));
}

Result<Answer<UpsertValue>> ParseUpsert(std::string_view body) {
  Answer<UpsertValue> answer{};
  const std::vector<JsonMember> data = {{"disable_upsert", &answer.value.disable_upsert}};
  const bool parsed = Read(body, {{"data", data}, RequestId(answer.request_id)});
  return Finish(parsed, std::move(answer));
}

Result<Answer<EncryptValue>> ParseEncrypt(std::string_view body) {
  Answer<EncryptValue> answer{};
  const std::vector<JsonMember> data = {
      {"ciphertext", &answer.value.ciphertext},
      {"key_version", &answer.value.key_version, Presence::kOptional}};
  const bool parsed = Read(body, {{"data", data}, RequestId(answer.request_id)});
  return Finish(parsed, std::move(answer));
}

Result<Answer<SecretBuffer>> ParseDecrypt(std::string_view body) {
  Answer<SecretBuffer> answer{};
  const std::vector<JsonMember> data = {{"plaintext", Base64Secret(answer.value)}};
  const bool parsed = Read(body, {{"data", data}, RequestId(answer.request_id)});
  return Finish(parsed, std::move(answer));
}

Result<Answer<AuthValue>> ParseLogin(std::string_view body) {
  return ParseAuth(body, Presence::kRequired);
}

Result<Answer<AuthValue>> ParseRenewal(std::string_view body) {
  return ParseAuth(body, Presence::kOptional);
}

Answer<ErrorTexts> ParseErrors(std::string_view body) {
  Answer<ErrorTexts> answer{};
  const bool parsed = Read(body, {{"errors", KnownPhrases(answer.value), Presence::kOptional},
                                  RequestId(answer.request_id)});
  if (!parsed) {
    return {};
  }
  answer.request_id = FilterRequestId(std::move(answer.request_id));
  return answer;
}

bool IsHeaderSafe(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace baokms::openbao
