// The answer of bao-kms-etcd-scan to the command: both ends of the message and of the pipe that
// carries it.

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

// Fails if ToMessage() cannot have built the message: without a revision, with too many groups or
// with too long a text.
[[nodiscard]] Result<EtcdScan> FromMessage(const ipc::EtcdScanAnswer& answer);

// Blocks until the answer is written or the other end is gone.
[[nodiscard]] Status SendAnswer(const ipc::EtcdScanAnswer& answer, int fd);

// Blocks until the end of the pipe. Returns false if it did not carry exactly one message of at
// most kMaxScanAnswerBytes.
[[nodiscard]] bool ReceiveAnswer(int fd, ipc::EtcdScanAnswer& answer);

}  // namespace baokms::supervisor
