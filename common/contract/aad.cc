#include "common/contract/aad.h"

#include <utility>

#include "common/contract/encoding.h"
#include "common/contract/go_json.h"

namespace baokms::contract {

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
