// What bao-kms-etcd-scan tells the command: both ends of the message and of the pipe that carries
// it.

#pragma once

#include <cstddef>
#include <string>

#include "common/base/result.h"
#include "supervisor/etcd/etcd_inventory.h"

namespace baokms::ipc {
class EtcdScanAnswer;
}  // namespace baokms::ipc

namespace baokms::supervisor {

// The largest inventory: kMaxInventoryGroups groups of three texts, each as long as a key_id may
// be.
inline constexpr std::size_t kMaxScanAnswerBytes = std::size_t{80} << 20;

ipc::EtcdScanAnswer ToMessage(const EtcdScan& scan);

// Fails when the message is not one that ToMessage() makes: too many groups or too long a text.
[[nodiscard]] Result<EtcdScan> FromMessage(const ipc::EtcdScanAnswer& answer);

// Blocks until all is written, or until the other end is gone.
[[nodiscard]] Status SendAnswer(const ipc::EtcdScanAnswer& answer, int fd);

// Everything up to the end of the pipe; kResourceExhausted above kMaxScanAnswerBytes.
[[nodiscard]] Result<std::string> ReceiveAnswer(int fd);

}  // namespace baokms::supervisor
