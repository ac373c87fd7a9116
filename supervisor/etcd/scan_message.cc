#include "supervisor/etcd/scan_message.h"

#include <utility>

#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "common/contract/limits.h"
#include "proto/etcd_scan.pb.h"

namespace baokms::supervisor {
namespace {

bool IsStoredValue(const StoredValue& stored) {
  for (const std::string* text : {&stored.encryption, &stored.provider, &stored.key_id,
                                  &stored.lineage_hash, &stored.transit_version}) {
    if (text->size() > contract::kMaxKeyIdRequestBytes) {
      return false;
    }
  }
  return true;
}

}  // namespace

ipc::EtcdScanAnswer ToMessage(const EtcdScan& scan) {
  ipc::EtcdScanAnswer answer;
  answer.set_revision(scan.revision);
  for (const auto& [stored, objects] : scan.inventory.groups()) {
    ipc::StoredGroup& group = *answer.add_groups();
    group.set_encryption(stored.encryption);
    group.set_provider(stored.provider);
    group.set_key_id(stored.key_id);
    group.set_lineage_hash(stored.lineage_hash);
    group.set_transit_version(stored.transit_version);
    group.set_objects(objects);
  }
  for (const auto& [name, count] : scan.inventory.resources()) {
    ipc::StoredResource& resource = *answer.add_resources();
    resource.set_name(name);
    resource.set_encrypted(count.encrypted);
    resource.set_plain(count.plain);
  }
  return answer;
}

Result<EtcdScan> FromMessage(const ipc::EtcdScanAnswer& answer) {
  if (answer.revision() <= 0) {
    return Error(ErrorCode::kProtocolViolation, "the inventory names no revision of etcd");
  }
  EtcdScan scan;
  scan.revision = answer.revision();
  for (const ipc::StoredGroup& group : answer.groups()) {
    StoredValue stored{.encryption = group.encryption(),
                       .provider = group.provider(),
                       .key_id = group.key_id(),
                       .lineage_hash = group.lineage_hash(),
                       .transit_version = group.transit_version()};
    if (!IsStoredValue(stored)) {
      return Error(ErrorCode::kProtocolViolation, "a text of the inventory is too long");
    }
    BAOKMS_TRY(scan.inventory.AddGroup(std::move(stored), group.objects()));
  }
  for (const ipc::StoredResource& resource : answer.resources()) {
    if (resource.name().size() > contract::kMaxAnnotationKeyBytes) {
      return Error(ErrorCode::kProtocolViolation, "a text of the inventory is too long");
    }
    BAOKMS_TRY(scan.inventory.AddResource(
        resource.name(), {.encrypted = resource.encrypted(), .plain = resource.plain()}));
  }
  return scan;
}

Status SendAnswer(const ipc::EtcdScanAnswer& answer, int fd) {
  google::protobuf::io::FileOutputStream stream(fd);
  if (!answer.SerializeToZeroCopyStream(&stream) || !stream.Flush()) {
    return Error(ErrorCode::kSystem, "write", stream.GetErrno());
  }
  return {};
}

bool ReceiveAnswer(int fd, ipc::EtcdScanAnswer& answer) {
  google::protobuf::io::FileInputStream stream(fd);
  // One byte more than allowed, so that a longer message is not taken for a shorter one.
  google::protobuf::io::LimitingInputStream limited(&stream, kMaxScanAnswerBytes + 1);
  return answer.ParseFromZeroCopyStream(&limited) && limited.ByteCount() <= kMaxScanAnswerBytes;
}

}  // namespace baokms::supervisor
