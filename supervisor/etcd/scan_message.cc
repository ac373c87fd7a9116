#include "supervisor/etcd/scan_message.h"

#include <sys/types.h>

#include <cerrno>

#include <unistd.h>

#include <utility>

#include "common/contract/limits.h"
#include "proto/etcd_scan.pb.h"

namespace baokms::supervisor {
namespace {

constexpr std::size_t kPipeBytes = 64 * 1024;

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
  const std::string bytes = answer.SerializeAsString();
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = ::write(fd, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno != EINTR) {
      return Error(ErrorCode::kSystem, "write", errno);
    }
    written += count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  return {};
}

Result<std::string> ReceiveAnswer(int fd) {
  std::string bytes;
  std::string chunk(kPipeBytes, '\0');
  for (;;) {
    const ssize_t count = ::read(fd, chunk.data(), chunk.size());
    if (count < 0 && errno != EINTR) {
      return Error(ErrorCode::kSystem, "read", errno);
    }
    if (count == 0) {
      return bytes;
    }
    bytes.append(chunk, 0, count > 0 ? static_cast<std::size_t>(count) : 0);
    if (bytes.size() > kMaxScanAnswerBytes) {
      return Error(ErrorCode::kResourceExhausted, "the inventory is too large");
    }
  }
}

}  // namespace baokms::supervisor
