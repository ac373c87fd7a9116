#include "common/contract/key_binding.h"

#include "common/contract/encoding.h"

namespace baokms::contract {

Result<KeyBinding> BindKey(const KeyIdentity& identity, KeyVersion version) {
  const KeyId key_id = BAOKMS_TRY(DeriveKeyId(identity, version));
  const std::string& path = identity.namespace_path;
  return KeyBinding{.key_id = key_id,
                    .transit_version = version.number,
                    .provider_name = identity.provider_name,
                    .key_id_hash = HashText(key_id.text()),
                    .cluster_hash = HashText(identity.cluster_id),
                    .instance_hash = HashText(identity.instance_id),
                    .namespace_hash = path.empty() ? std::string() : HashText(path),
                    .mount_hash = HashText(identity.transit_mount_id),
                    .lineage_hash = HashText(identity.key_lineage_id)};
}

}  // namespace baokms::contract
