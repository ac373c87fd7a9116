// What bao-kms-etcd-scan tells the command: both ends of the message and of the pipe that carries
// it.

#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "supervisor/etcd/etcd_inventory.h"

namespace baokms::ipc {
class EtcdScanAnswer;
}  // namespace baokms::ipc

namespace baokms::supervisor {

// The largest inventory: kMaxInventoryGroups groups of three texts, each as long as a key_id may
// be.
inline constexpr std::int64_t kMaxScanAnswerBytes = std::int64_t{80} << 20;

ipc::EtcdScanAnswer ToMessage(const EtcdScan& scan);

// Fails when the message is not one that ToMessage() makes: without a revision, with too many
// groups or with too long a text.
[[nodiscard]] Result<EtcdScan> FromMessage(const ipc::EtcdScanAnswer& answer);

// Blocks until all is written, or until the other end is gone.
[[nodiscard]] Status SendAnswer(const ipc::EtcdScanAnswer& answer, int fd);

// Blocks until the end of the pipe. False: what came is not one message of at most
// kMaxScanAnswerBytes.
[[nodiscard]] bool ReceiveAnswer(int fd, ipc::EtcdScanAnswer& answer);

}  // namespace baokms::supervisor
