#include "common/contract/identity.h"

#include <algorithm>

#include "common/contract/encoding.h"
#include "common/contract/go_json.h"
#include "common/contract/limits.h"
#include "common/contract/utf8.h"

namespace baokms::contract {
namespace {

constexpr std::string_view kFingerprintDomain = "openbao-kubernetes-kms/config-identity/v1";

// Unicode's category Cc.
bool IsControl(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F);
}

bool IsForbiddenEverywhere(char32_t c) {
  return c == U'\0' || c == U'\r' || c == U'\n' || c == U'\t';
}

// Checks the rules that all values share, and that no character satisfies `forbidden`.
template <typename Predicate>
bool IsCleanText(std::string_view text, Predicate forbidden) {
  if (text.empty() || text.size() > kMaxIdentityFieldBytes || TrimSpace(text) != text) {
    return false;
  }
  while (!text.empty()) {
    const CodePoint point = DecodeCodePoint(text);
    if (!point.valid || forbidden(point.value)) {
      return false;
    }
    text.remove_prefix(point.length);
  }
  return true;
}

bool HasOnlyPlainSegments(std::string_view path) {
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..") {
      return false;
    }
    if (slash == std::string_view::npos) {
      return true;
    }
    path.remove_prefix(slash + 1);
  }
}

bool IsKeyNameEdge(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

Status Require(bool holds, Literal what) {
  if (!holds) {
    return Error(ErrorCode::kInvalidArgument, what);
  }
  return {};
}

}  // namespace

bool IsIdentifier(std::string_view text) {
  return IsCleanText(text, IsForbiddenEverywhere);
}

bool IsNamespacePath(std::string_view text) {
  return text.empty() ||
         (IsCleanText(text, [](char32_t c) { return IsForbiddenEverywhere(c) || c == U'%'; }) &&
          HasOnlyPlainSegments(text));
}

bool IsMountPath(std::string_view text) {
  return IsCleanText(text, IsControl) && HasOnlyPlainSegments(text);
}

bool IsTransitKeyName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxIdentityFieldBytes && IsKeyNameEdge(text.front()) &&
         IsKeyNameEdge(text.back()) &&
         std::ranges::all_of(text, [](char c) { return IsKeyNameEdge(c) || c == '.' || c == '-'; });
}

Status Validate(const KeyIdentity& identity) {
  BAOKMS_TRY(Require(IsIdentifier(identity.provider_name), "provider name is not valid"));
  BAOKMS_TRY(Require(IsIdentifier(identity.cluster_id), "cluster id is not valid"));
  BAOKMS_TRY(Require(IsIdentifier(identity.instance_id), "OpenBao instance id is not valid"));
  BAOKMS_TRY(Require(IsNamespacePath(identity.namespace_path), "namespace is not valid"));
  BAOKMS_TRY(Require(IsIdentifier(identity.transit_mount_id), "transit mount id is not valid"));
  return Require(IsIdentifier(identity.key_lineage_id), "key lineage id is not valid");
}

Status Validate(const ConfigIdentity& identity) {
  BAOKMS_TRY(Validate(identity.key));
  BAOKMS_TRY(Require(IsMountPath(identity.transit_mount_path), "transit mount path is not valid"));
  return Require(IsTransitKeyName(identity.transit_key_name), "transit key name is not valid");
}

Result<IdentityFingerprint> Fingerprint(const ConfigIdentity& identity) {
  BAOKMS_TRY(Validate(identity));
  GoJsonWriter json(GoJsonWriter::Style::kCompact);
  json.BeginObject();
  json.Text("domain", kFingerprintDomain);
  json.Text("provider_name", identity.key.provider_name);
  json.Text("cluster_id", identity.key.cluster_id);
  json.Text("openbao_instance_id", identity.key.instance_id);
  json.TextUnlessEmpty("openbao_namespace", identity.key.namespace_path);
  json.Text("transit_mount_id", identity.key.transit_mount_id);
  json.Text("key_lineage_id", identity.key.key_lineage_id);
  json.Text("transit_mount_path", identity.transit_mount_path);
  json.Text("transit_key_name", identity.transit_key_name);
  json.EndObject();
  return IdentityFingerprint::FromDigest(Sha256(AsBytes(std::move(json).Take())));
}

}  // namespace baokms::contract
