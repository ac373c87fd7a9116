#include "common/contract/key_binding.h"

#include <utility>

#include "common/contract/encoding.h"
#include "common/contract/go_json.h"

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

std::string CanonicalAad(const KeyBinding& key) {
  GoJsonWriter json(GoJsonWriter::Style::kCompact);
  json.BeginObject();
  json.Text("aad_version", "v1");
  json.Text("purpose", "kubernetes-etcd-kms-v2");
  json.Text("provider", "openbao-transit");
  json.Text("provider_name", key.provider_name);
  json.Text("cluster_id_hash", key.cluster_hash);
  json.Text("openbao_instance_hash", key.instance_hash);
  json.TextUnlessEmpty("openbao_namespace_hash", key.namespace_hash);
  json.Text("transit_mount_hash", key.mount_hash);
  json.Text("transit_key_hash", key.lineage_hash);
  json.Text("key_id_hash", key.key_id_hash);
  // The AAD has the version as a string; the Transit request has it as a number.
  json.Text("key_version", std::to_string(key.transit_version));
  json.EndObject();
  return std::move(json).Take();
}

std::string AssociatedData(const KeyBinding& key) {
  return EncodeBase64(AsBytes(CanonicalAad(key)));
}

}  // namespace baokms::contract
