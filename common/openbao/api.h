// A typed interface to the OpenBao calls of this project: one asynchronous function per row of
// docs/contract.md#requests-to-openbao. It covers HTTP paths and JSON bodies, but not the life
// cycle of tokens, key ids or IPC.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "common/contract/key_profile.h"
#include "common/openbao/connector.h"
#include "common/openbao/error_class.h"
#include "common/openbao/tls.h"
#include "common/openbao/wiped_buffer.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {
class OpenBaoSetup;
}  // namespace baokms::ipc

namespace baokms::openbao {

// One https address of the OpenBao cluster, already validated.
struct Endpoint {
  std::string host;  // name or IP literal without brackets
  std::uint16_t port = 0;
  std::string path_prefix;  // "" or "/prefix" as in the URL, no trailing slash
};

// Fixed for the lifetime of the process; from the sealed set-up.
struct ClientOptions {
  std::vector<Endpoint> endpoints;  // tried in order, starting with the last good one
  std::string ca_pem;               // the only trusted roots
  std::string server_name;          // for SNI and certificate verification
  std::string namespace_path;       // X-Vault-Namespace; empty: not sent
  std::string transit_mount;        // without leading or trailing '/'
  std::string transit_key;  // mount and key are empty in a client that only logs in and renews
  std::uint32_t max_connections = 16;
};

// Returns endpoints, roots, server name and namespace, without a Transit key. `setup` must have
// been checked (common/setup/set_up_checks.h).
ClientOptions ToClientOptions(const ipc::OpenBaoSetup& setup);

// One completed HTTP exchange, for metrics.
struct CallRecord {
  ipc::OpenBaoOperation operation = ipc::OPERATION_UNSPECIFIED;
  ErrorClass error_class = ErrorClass::kUnknown;
  std::uint32_t duration_us = 0;
  std::string request_id;
  TlsAlert tls_alert = kNoTlsAlert;
};

// The part of the result that all calls share. A call's own value is meaningful only with kOk.
struct CallReport {
  ErrorClass error_class = ErrorClass::kUnknown;
  std::vector<CallRecord> calls;  // more than one after a retry
  std::uint32_t connect_us = 0;
  std::uint32_t openbao_us = 0;

  // Returns the alert with which the server ended the last connection.
  [[nodiscard]] TlsAlert tls_alert() const {
    return calls.empty() ? kNoTlsAlert : calls.back().tls_alert;
  }
};

// Appends `records` to `calls` (the repeated ipc::OpenBaoCall of a message). Only the last
// ipc::kMaxCalls are kept, because they show how the operation ended.
template <typename Calls>
void AppendCalls(const std::vector<CallRecord>& records, Calls& calls) {
  for (const CallRecord& record : records) {
    ipc::OpenBaoCall& call = *calls.Add();
    call.set_operation(record.operation);
    call.set_outcome(ToOutcome(record.error_class));
    call.set_duration_us(
        std::min(record.duration_us, static_cast<std::uint32_t>(ipc::kMaxCallDuration.count())));
    call.set_request_id(record.request_id);
    call.set_tls_alert(record.tls_alert);
  }
  calls.DeleteSubrange(0, std::max(0, calls.size() - static_cast<int>(ipc::kMaxCalls)));
}

struct EncryptValue {
  std::string ciphertext;
  std::optional<std::int64_t> key_version;  // absent when OpenBao did not state it
};

struct AuthValue {
  SecretBuffer token;              // empty after a renewal that kept the token
  std::int64_t lease_seconds = 0;  // 0: does not expire
  bool renewable = false;
  std::int64_t num_uses = 0;  // requests after which OpenBao revokes the token; 0: unlimited
};

// What one login sends, as its auth method requires.
struct LoginRequest {
  ipc::OpenBaoOperation operation = ipc::OPERATION_UNSPECIFIED;  // as metrics name the method
  WipedBuffer body;                                              // JSON, from BuildObject()
  std::shared_ptr<const TlsIdentity> identity;                   // presented to OpenBao; null: none
};

struct UpsertValue {
  bool disable_upsert = false;
};

// The connection that a call may use.
enum class ConnectionUse : std::uint8_t {
  kAny,
  kFresh,  // a connection for this call alone, closed after it
};

// Identifies a call in progress; 0 identifies none.
using CallId = std::uint64_t;

// The parameters that all calls share. `token` is copied into the request when the call starts, and
// need not outlive that.
struct CallContext {
  BootTime deadline{};                  // the call ends with kTimeout at this time at the latest
  const SecretBuffer* token = nullptr;  // null: no X-Vault-Token (logins)
  ConnectionUse connection = ConnectionUse::kAny;
};

template <typename Value>
using Done = std::function<void(CallReport, Value)>;

// The OpenBao calls of a worker, as an interface that tests implement. The guarantees of Client
// apply to every implementation.
class Transit {
 public:
  Transit() = default;
  Transit(const Transit&) = delete;
  Transit& operator=(const Transit&) = delete;
  virtual ~Transit() = default;

  // GET <mount>/keys/<key>
  virtual CallId ReadKey(const CallContext& context, Done<contract::TransitKeyMetadata> done) = 0;

  // GET <mount>/config/keys
  virtual CallId ReadUpsert(const CallContext& context, Done<UpsertValue> done) = 0;

  // POST <mount>/encrypt/<key>. Refuses (kInvalidRequest) version <= 0, and empty plaintext or AAD.
  virtual CallId Encrypt(const CallContext& context,
                         std::int64_t key_version,
                         std::span<const std::uint8_t> plaintext,
                         std::string_view aad_base64,
                         Done<EncryptValue> done) = 0;

  // POST <mount>/decrypt/<key>. Refuses (kInvalidRequest) an empty ciphertext or AAD.
  virtual CallId Decrypt(const CallContext& context,
                         std::string_view ciphertext,
                         std::string_view aad_base64,
                         Done<SecretBuffer> done) = 0;

  // POST auth/token/renew-self {"increment":"<seconds>s"}
  virtual CallId RenewSelf(const CallContext& context,
                           std::int64_t increment_seconds,
                           Done<AuthValue> done) = 0;

  // Cancels a call: its exchange is aborted and its callback does not run. Does nothing for a call
  // that has ended.
  virtual void Cancel(CallId call) = 0;
};

// Asynchronous client on one EventLoop. Every callback runs on the loop's thread, never from inside
// the call that started it, and exactly once unless the call is cancelled. Responses over the
// limits of http_limits.h, redirects, and malformed or ambiguous JSON are reported as errors of
// their class.
class Client final : public Transit {
 public:
  // Creates a client. Fails when libcurl cannot be set up or the CA bundle holds no certificate.
  // Call it before the system call filter is installed; `loop` and `connector` must outlive the
  // client.
  static Result<std::unique_ptr<Client>> Create(EventLoop& loop,
                                                Connector& connector,
                                                ClientOptions options);

  ~Client() override;

  CallId ReadKey(const CallContext& context, Done<contract::TransitKeyMetadata> done) override;
  CallId ReadUpsert(const CallContext& context, Done<UpsertValue> done) override;
  CallId Encrypt(const CallContext& context,
                 std::int64_t key_version,
                 std::span<const std::uint8_t> plaintext,
                 std::string_view aad_base64,
                 Done<EncryptValue> done) override;
  CallId Decrypt(const CallContext& context,
                 std::string_view ciphertext,
                 std::string_view aad_base64,
                 Done<SecretBuffer> done) override;
  CallId RenewSelf(const CallContext& context,
                   std::int64_t increment_seconds,
                   Done<AuthValue> done) override;
  void Cancel(CallId call) override;

  // POST <auth mount>/login. A connection that presents the request's identity is made for this
  // call alone, whatever `context` specifies.
  CallId Login(const CallContext& context,
               std::string_view auth_mount,
               LoginRequest request,
               Done<AuthValue> done);

  // GET sys/health, without a token or client certificate, to test whether a worker could connect.
  // OpenBao does not audit it. Any HTTP status shows that TLS works.
  CallId ProbeListener(const CallContext& context, Done<std::monostate> done);

 private:
  struct Impl;

  explicit Client(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace baokms::openbao
