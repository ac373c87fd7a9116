#include "common/contract/key_id.h"

#include <string>

#include "common/contract/encoding.h"

namespace baokms::contract {
namespace {

constexpr std::string_view kKeyIdDomain = "openbao-kubernetes-kms/key-id/v1";

// Appends a part and the NUL that terminates every part, including the last. No part can contain a
// NUL.
void AppendPart(std::string& preimage, std::string_view part) {
  preimage.append(part).push_back('\0');
}

}  // namespace

Result<KeyId> DeriveKeyId(const KeyIdentity& identity, KeyVersion version) {
  BAOKMS_TRY(Validate(identity));
  if (version.number <= 0) {
    return Error(ErrorCode::kInvalidArgument, "transit key version is not positive");
  }
  if (version.created_at_unix <= 0) {
    return Error(ErrorCode::kInvalidArgument, "transit key version has no creation time");
  }
  std::string preimage;
  AppendPart(preimage, kKeyIdDomain);
  AppendPart(preimage, identity.provider_name);
  AppendPart(preimage, identity.cluster_id);
  AppendPart(preimage, identity.instance_id);
  if (!identity.namespace_path.empty()) {
    AppendPart(preimage, identity.namespace_path);
  }
  AppendPart(preimage, identity.transit_mount_id);
  AppendPart(preimage, identity.key_lineage_id);
  AppendPart(preimage, std::to_string(version.number));
  AppendPart(preimage, std::to_string(version.created_at_unix));
  return KeyId::FromDigest(Sha256(AsBytes(preimage)));
}

}  // namespace baokms::contract
