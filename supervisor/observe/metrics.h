// Everything that the supervisor counts, as one interface, so that the code that is measured needs
// no metrics library. Names, labels and buckets: docs/observability.md#metrics.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/clock.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {

enum class KmsMethod : std::uint8_t { kStatus, kEncrypt, kDecrypt };

// Callable from any thread. Texts become label values: they must come from a fixed vocabulary.
class Metrics {
 public:
  virtual ~Metrics() = default;

  // KMS requests. `code` is a gRPC code in snake case ("ok", "invalid_argument"); `error_class` is
  // empty for a success.
  virtual void RequestStarted(KmsMethod method) = 0;
  virtual void RequestFinished(KmsMethod method,
                               std::string_view code,
                               std::string_view error_class,
                               BootTime duration) = 0;
  virtual void ConcurrencyRejected(KmsMethod method) = 0;
  // Records the time in a stage: "queue", "ipc", "token_wait", "connect" or "openbao".
  virtual void Stage(KmsMethod method, std::string_view stage, BootTime duration) = 0;
  virtual void RequestReplayed(KmsMethod method) = 0;
  virtual void RequestHedged(KmsMethod method) = 0;
  virtual void EncryptSelfVerified() = 0;
  // Records that a worker's answer was wrong, or that another worker says so.
  virtual void EncryptMismatch() = 0;
  virtual void DecryptMismatch() = 0;
  // Records that a lasting refusal was given on the word of the only worker.
  virtual void DecryptUnconfirmed() = 0;
  // Records that a plaintext that was drawn for a check was not checked.
  virtual void DecryptUnchecked() = 0;
  virtual void DecryptCoalesced() = 0;
  virtual void PanicRecovered(KmsMethod method) = 0;
  // Records that a connection of this uid was accepted (+1) or ended (-1).
  virtual void PeerConnection(std::uint32_t uid, int change) = 0;

  // Calls to OpenBao, as the children report them.
  virtual void OpenBaoCall(const ipc::OpenBaoCall& call) = 0;
  virtual void Login(std::string_view status) = 0;
  virtual void Renewal(std::string_view status) = 0;
  virtual void BrokerConnection(std::uint32_t endpoint, std::string_view status) = 0;

  // Status of the key.
  virtual void ActiveKey(std::string_view key_id, std::uint32_t version) = 0;
  virtual void MetadataObservation(std::string_view status) = 0;
  // 0 closed, 1 open or half-open.
  virtual void BreakerState(int state) = 0;
  // "active", "pending" or "unknown".
  virtual void RotationState(std::string_view state) = 0;
  virtual void PersistenceDegraded(int degraded) = 0;
  // Sets the number of records, of at most contract::kMaxKeyRecords; removed ones count.
  virtual void RegistryRecords(std::size_t records) = 0;

  // Processes. `process`: "supervisor", "spawner", "auth_agent", "worker_<slot>".
  virtual void ProcessUp(std::string_view process, int up) = 0;
  virtual void ProcessRestarted(std::string_view process, std::string_view cause) = 0;
  virtual void SeccompViolation(std::string_view process, std::string_view syscall) = 0;
  // The KMS socket: a dead one was removed before binding; a lost one was bound again; clients
  // cannot reach it (1) or can (0).
  virtual void SocketRestarted() = 0;
  virtual void SocketRebound() = 0;
  virtual void SocketMissing(int missing) = 0;

 protected:
  Metrics() = default;
  Metrics(const Metrics&) = default;
  Metrics& operator=(const Metrics&) = default;
};

}  // namespace baokms::supervisor
