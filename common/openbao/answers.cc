#include "common/openbao/answers.h"

#include <algorithm>
#include <utility>

#include "common/openbao/http_limits.h"
#include "ipc/limits.h"

namespace baokms::openbao {
namespace {

constexpr Error kNotTheDocumentedJson{ErrorCode::kInvalidArgument, "not the documented JSON"};

std::string FilterRequestId(std::string id) {
  const bool good =
      id.size() <= ipc::kMaxRequestId && std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.' || c == ':';
      });
  return good ? std::move(id) : std::string();
}

JsonField RequestId(std::string& target) {
  return {"", "request_id", &target, Presence::kOptional};
}

// Finishes a parser: `parsed` is what ReadFields() said.
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
  const bool parsed = ReadFields(body, {{"auth", "client_token", SecretText{&auth.token}, token},
                                        {"auth", "lease_duration", &auth.lease_seconds},
                                        {"auth", "renewable", &auth.renewable},
                                        RequestId(answer.request_id)}) &&
                      auth.lease_seconds >= 0 && auth.lease_seconds <= kMaxLeaseSeconds &&
                      auth.token.size() <= kMaxTokenBytes &&
                      (token == Presence::kOptional || auth.token.size() > 0);
  const auto bytes = auth.token.Reveal();
  const bool safe = IsHeaderSafe({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return Finish(parsed && safe, std::move(answer));
}

}  // namespace

Result<Answer<contract::TransitKeyMetadata>> ParseKeyMetadata(std::string_view body) {
  Answer<contract::TransitKeyMetadata> answer{};
  contract::TransitKeyMetadata& key = answer.value;
  // Not in every answer: OpenBao says the first only of derived keys, older servers lack others.
  key.convergent_encryption = false;
  key.soft_deleted = false;
  key.imported_key = false;
  const bool parsed = ReadFields(
      body, {{"data", "name", &key.name},
             {"data", "type", &key.type},
             {"data", "latest_version", &key.latest_version},
             {"data", "min_available_version", &key.min_available_version},
             {"data", "min_encryption_version", &key.min_encryption_version},
             {"data", "min_decryption_version", &key.min_decryption_version},
             {"data", "keys", &key.versions},
             {"data", "derived", &key.derived},
             {"data", "convergent_encryption", &key.convergent_encryption, Presence::kOptional},
             {"data", "exportable", &key.exportable},
             {"data", "allow_plaintext_backup", &key.allow_plaintext_backup},
             {"data", "deletion_allowed", &key.deletion_allowed},
             {"data", "imported_key", &key.imported_key, Presence::kOptional},
             {"data", "soft_deleted", &key.soft_deleted, Presence::kOptional},
             {"data", "supports_encryption", &key.supports_encryption},
             {"data", "supports_decryption", &key.supports_decryption},
             {"data", "supports_derivation", &key.supports_derivation, Presence::kOptional},
             {"data", "supports_signing", &key.supports_signing, Presence::kOptional},
             {"data", "auto_rotate_period", &key.auto_rotate_period, Presence::kOptional},
             RequestId(answer.request_id)});
  return Finish(parsed, std::move(answer));
}

Result<Answer<UpsertValue>> ParseUpsert(std::string_view body) {
  Answer<UpsertValue> answer{};
  const bool parsed = ReadFields(body, {{"data", "disable_upsert", &answer.value.disable_upsert},
                                        RequestId(answer.request_id)});
  return Finish(parsed, std::move(answer));
}

Result<Answer<EncryptValue>> ParseEncrypt(std::string_view body) {
  Answer<EncryptValue> answer{};
  const bool parsed =
      ReadFields(body, {{"data", "ciphertext", &answer.value.ciphertext},
                        {"data", "key_version", &answer.value.key_version, Presence::kOptional},
                        RequestId(answer.request_id)});
  return Finish(parsed, std::move(answer));
}

Result<Answer<SecretBuffer>> ParseDecrypt(std::string_view body) {
  Answer<SecretBuffer> answer{};
  const bool parsed = ReadFields(
      body, {{"data", "plaintext", SecretBase64{&answer.value}}, RequestId(answer.request_id)});
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
  const bool parsed = ReadFields(
      body, {{"", "errors", &answer.value, Presence::kOptional}, RequestId(answer.request_id)});
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
