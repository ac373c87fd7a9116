// The OpenBao calls that this project makes, typed: one asynchronous function per row of
// docs/contract.md#requests-to-openbao. It knows HTTP paths and JSON bodies, but neither the life
// cycle of tokens nor key ids nor IPC.

#pragma once

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
#include "common/openbao/tls_alert.h"
#include "common/openbao/tls_identity.h"
#include "proto/ipc.pb.h"

namespace baokms::openbao {

// One https address of the OpenBao cluster, already validated.
struct Endpoint {
  std::string host;  // name or IP literal without brackets
  std::uint16_t port = 0;
  std::string path_prefix;  // "" or "/prefix" as in the URL, no trailing slash
};

// Fixed for the life of the process; from the sealed set-up.
struct ClientOptions {
  std::vector<Endpoint> endpoints;  // tried in order, the last good one first
  std::string ca_pem;               // the only roots
  std::string server_name;          // SNI and certificate check
  std::string namespace_path;       // X-Vault-Namespace; empty: not sent
  std::string transit_mount;        // without leading or trailing '/'
  std::string transit_key;          // both empty: this client only logs in and renews
  std::uint32_t max_connections = 16;
};

// One HTTP exchange that took place, for metrics.
struct CallRecord {
  ipc::Operation operation = ipc::OPERATION_UNSPECIFIED;
  ErrorClass error_class = ErrorClass::kUnknown;
  std::uint32_t duration_us = 0;
  std::string request_id;
  TlsAlert tls_alert = kNoTlsAlert;
};

// What every call gets back besides its own value. The value is meaningful only with kOk.
struct CallReport {
  ErrorClass error_class = ErrorClass::kUnknown;
  std::vector<CallRecord> calls;  // more than one after a retry
  std::uint32_t connect_us = 0;
  std::uint32_t openbao_us = 0;

  // With which the server ended the last connection.
  [[nodiscard]] TlsAlert tls_alert() const {
    return calls.empty() ? kNoTlsAlert : calls.back().tls_alert;
  }
};

struct EncryptValue {
  std::string ciphertext;
  std::optional<std::int64_t> key_version;  // absent when OpenBao did not say
};

struct AuthValue {
  SecretBuffer token;              // empty after a renewal that kept the token
  std::int64_t lease_seconds = 0;  // 0: does not expire
  bool renewable = false;
  std::int64_t num_uses = 0;  // requests after which OpenBao revokes the token; 0: no such limit
};

struct UpsertValue {
  bool disable_upsert = false;
};

// Which connection a call may use.
enum class ConnectionUse : std::uint8_t {
  kAny,
  kFresh,  // a connection made for this call alone and closed after it
};

// Names one call in progress; 0 names none.
using CallId = std::uint64_t;

// What each call needs besides its arguments. `token` must outlive the call's start only: it is
// copied into the request at once.
struct CallContext {
  BootTime deadline{};                  // the call ends with kTimeout at this time at the latest
  const SecretBuffer* token = nullptr;  // null: no X-Vault-Token (logins)
  ConnectionUse connection = ConnectionUse::kAny;
};

template <typename Value>
using Done = std::function<void(CallReport, Value)>;

// What a worker asks of OpenBao, as an interface: tests stand in for OpenBao behind it. The
// client's promises below hold for every implementation.
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

  // POST <mount>/encrypt/<key>. Refuses (kInvalidRequest) version <= 0, empty plaintext or AAD.
  virtual CallId Encrypt(const CallContext& context,
                         std::int64_t key_version,
                         std::span<const std::uint8_t> plaintext,
                         std::string_view aad_base64,
                         Done<EncryptValue> done) = 0;

  // POST <mount>/decrypt/<key>. Refuses (kInvalidRequest) empty ciphertext or AAD.
  virtual CallId Decrypt(const CallContext& context,
                         std::string_view ciphertext,
                         std::string_view aad_base64,
                         Done<SecretBuffer> done) = 0;

  // POST auth/token/renew-self {"increment":"<seconds>s"}
  virtual CallId RenewSelf(const CallContext& context,
                           std::int64_t increment_seconds,
                           Done<AuthValue> done) = 0;

  // The callback will not run; the exchange is torn down. Harmless for a finished call.
  virtual void Cancel(CallId call) = 0;
};

// Asynchronous client on one EventLoop. Every callback runs on the loop's thread, never from inside
// the call that started it, exactly once unless the call is cancelled. Answers over the limits of
// http_limits.h, redirects, malformed or ambiguous JSON are errors of their class.
class Client final : public Transit {
 public:
  // Fails when libcurl cannot be set up or the CA bundle holds no certificate. Must run before the
  // system call filter is entered; `loop` and `connector` must outlive the client.
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

  // POST <auth mount>/login {"role","jwt"}
  CallId LoginJwt(const CallContext& context,
                  std::string_view auth_mount,
                  std::string_view role,
                  const SecretBuffer& jwt,
                  Done<AuthValue> done);

  // POST <auth mount>/login {"name"}; an empty name is left out and OpenBao tries every role. The
  // connection shows `identity`, so it is made for this call alone whatever the context says.
  CallId LoginCert(const CallContext& context,
                   std::string_view auth_mount,
                   std::string_view name,
                   std::shared_ptr<const TlsIdentity> identity,
                   Done<AuthValue> done);

  // GET sys/health, without a token and without a client certificate: how a connection of a worker
  // ends. OpenBao does not audit it. Any HTTP status is an answer, and so in no way a TLS failure.
  CallId ProbeListener(const CallContext& context, Done<std::monostate> done);

 private:
  struct Impl;

  explicit Client(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace baokms::openbao
