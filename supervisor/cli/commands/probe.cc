#include <sys/random.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/support/channel_arguments.h>

#include "common/base/hex.h"
#include "common/contract/encoding.h"
#include "common/contract/key_id.h"
#include "common/contract/limits.h"
#include "proto/kms_v2.grpc.pb.h"
#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/probe_socket.h"
#include "supervisor/config/number_text.h"

namespace baokms::supervisor {
namespace {

using SystemTime = std::chrono::system_clock::time_point;

constexpr std::size_t kPlaintextBytes = 32;
constexpr std::size_t kUidBytes = 16;

// Maximum timeout, so that a deadline fits the range of the clock.
constexpr std::chrono::hours kMaxTimeout{24};

// In the order of grpc::StatusCode.
constexpr std::string_view kCodeNames[] = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

// Returns "failed with UNAVAILABLE": the code alone, because the text of a server is never
// repeated.
std::string CodeText(const grpc::Status& status) {
  const auto code = static_cast<std::size_t>(status.error_code());
  return std::string("failed with ")
      .append(code < std::size(kCodeNames) ? kCodeNames[code] : "UNKNOWN");
}

class KmsProber {
 public:
  KmsProber(UniqueFd socket, SystemTime deadline, CheckReport& report)
      : deadline_(deadline), report_(report) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(static_cast<int>(contract::kMaxGrpcMessageBytes));
    stub_ = v2::KeyManagementService::NewStub(
        grpc::CreateCustomInsecureChannelFromFd("localhost", socket.release(), arguments));
  }

  void Run(const std::optional<contract::KeyId>& expected) {
    std::array<char, kPlaintextBytes + kUidBytes> random{};
    if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
      Fail("kms.encrypt", "Encrypt", "cannot read random bytes for the test");
      return;
    }
    plaintext_.assign(random.data(), kPlaintextBytes);
    uid_ = ToHex(contract::AsBytes({random.data() + kPlaintextBytes, kUidBytes}));
    if (CheckStatusCall() && CheckKeyId(expected) && CheckEncrypt() && CheckDecrypt()) {
      report_.Add(CheckStatus::kPass, "kms.key_id", "Active key", key_id_);
    }
  }

 private:
  void Fail(std::string id, std::string title, std::string message) {
    report_.Add(CheckStatus::kFail, std::move(id), std::move(title), std::move(message));
  }

  void Pass(std::string id, std::string title, std::string message) {
    report_.Add(CheckStatus::kPass, std::move(id), std::move(title), std::move(message));
  }

  bool CheckStatusCall() {
    grpc::ClientContext context;
    context.set_deadline(deadline_);
    v2::StatusResponse response;
    const grpc::Status status = stub_->Status(&context, v2::StatusRequest(), &response);
    if (!status.ok()) {
      Fail("kms.status", "Status", CodeText(status));
      return false;
    }
    if (response.version() != "v2" || response.healthz() != "ok") {
      Fail("kms.status", "Status",
           response.version() != "v2"
               ? "the server on this socket does not speak KMS v2"
               : "the provider reports that it is unhealthy; see its /ready and log");
      return false;
    }
    key_id_ = response.key_id();
    Pass("kms.status", "Status", "KMS v2, healthy");
    return true;
  }

  bool CheckKeyId(const std::optional<contract::KeyId>& expected) {
    if (!contract::KeyId::Parse(key_id_)) {
      Fail("kms.key_id", "Active key",
           "Status returned a key ID that is not in this provider's format");
      return false;
    }
    if (expected && expected->text() != key_id_) {
      Fail("kms.key_id", "Active key", "is not --expected-key-id");
      return false;
    }
    return true;
  }

  bool CheckEncrypt() {
    grpc::ClientContext context;
    context.set_deadline(deadline_);
    v2::EncryptRequest request;
    request.set_plaintext(plaintext_);
    request.set_uid(uid_ + "-encrypt");
    const grpc::Status status = stub_->Encrypt(&context, request, &encrypted_);
    if (!status.ok() || encrypted_.ciphertext().empty()) {
      Fail("kms.encrypt", "Encrypt", status.ok() ? "the ciphertext is empty" : CodeText(status));
      return false;
    }
    if (encrypted_.key_id() != key_id_) {
      Fail("kms.key_id", "Active key", "changed between Status and Encrypt; probe again");
      return false;
    }
    Pass("kms.encrypt", "Encrypt", "encrypted random bytes");
    return true;
  }

  bool CheckDecrypt() {
    grpc::ClientContext context;
    context.set_deadline(deadline_);
    v2::DecryptRequest request;
    request.set_ciphertext(encrypted_.ciphertext());
    request.set_uid(uid_ + "-decrypt");
    request.set_key_id(encrypted_.key_id());
    *request.mutable_annotations() = encrypted_.annotations();
    v2::DecryptResponse response;
    const grpc::Status status = stub_->Decrypt(&context, request, &response);
    if (!status.ok() || response.plaintext() != plaintext_) {
      Fail("kms.decrypt", "Decrypt",
           status.ok() ? "returned other bytes than were encrypted" : CodeText(status));
      return false;
    }
    Pass("kms.decrypt", "Decrypt", "returned the same bytes");
    return true;
  }

  const SystemTime deadline_;
  CheckReport& report_;
  std::unique_ptr<v2::KeyManagementService::Stub> stub_;
  std::string plaintext_;
  std::string uid_;
  std::string key_id_;
  v2::EncryptResponse encrypted_;
};

struct ProbeOptions {
  std::string socket_path;             // absolute
  std::chrono::nanoseconds timeout{};  // of the whole probe; above 0
  std::optional<contract::KeyId> expected_key_id;
};

// Stops at the first check that fails.
CheckReport Probe(const ProbeOptions& options) {
  CheckReport report{.name = "probe"};
  const auto timeout = std::min<std::chrono::nanoseconds>(options.timeout, kMaxTimeout);
  const auto steady_deadline = std::chrono::steady_clock::now() + timeout;
  const SystemTime deadline =
      std::chrono::system_clock::now() +
      std::chrono::duration_cast<std::chrono::system_clock::duration>(timeout);
  UniqueFd socket = ReachSocket(options.socket_path, steady_deadline, report);
  if (socket.valid()) {
    KmsProber(std::move(socket), deadline, report).Run(options.expected_key_id);
  }
  return report;
}

// How EncryptionConfiguration writes the path of a socket.
constexpr std::string_view kUnixScheme = "unix://";

constexpr Flag kSocketFlag{"--socket", kPathValue, "Absolute path of the provider's KMS socket"};
constexpr Flag kTimeoutFlag{"--timeout", "DURATION", "Limit for the whole probe (default 10s)"};
constexpr Flag kExpectedKeyIdFlag{"--expected-key-id", "ID",
                                  "Fail unless this key ID is the active one"};

int RunProbe(const CommandContext& context) {
  ProbeOptions options;
  options.socket_path = context.Value(kSocketFlag.name).value_or("/run/openbao-kms/kms.sock");
  if (options.socket_path.starts_with(kUnixScheme)) {
    options.socket_path.erase(0, kUnixScheme.size());
  }
  if (!options.socket_path.starts_with('/')) {
    return context.FailUsage("--socket must be an absolute Unix socket path");
  }
  const auto timeout = ParseDuration(context.Value(kTimeoutFlag.name).value_or("10s"));
  if (!timeout) {
    return context.FailUsage("--timeout must be a duration with a unit, such as 10s");
  }
  if (*timeout <= Duration(0)) {
    return context.FailUsage("--timeout must be positive");
  }
  options.timeout = *timeout;
  if (const std::string expected = context.ValueOrEmpty(kExpectedKeyIdFlag.name);
      !expected.empty()) {
    const auto key_id = contract::KeyId::Parse(expected);
    if (!key_id) {
      return context.FailUsage("--expected-key-id must be a provider key ID");
    }
    options.expected_key_id = *key_id;
  }
  const CheckReport report = Probe(options);
  const std::string text = ToString(report, context.output());
  if (!report.Failed()) {
    return context.Print(text);
  }
  context.Write(text);
  return context.Fail(ExitCode::kCheck, "the probe of the running provider failed");
}

constexpr Flag kProbeFlags[] = {kSocketFlag, kTimeoutFlag, kExpectedKeyIdFlag, kOutputFlag};

}  // namespace

constinit const Command kProbeCommand{.name = "probe",
                                      .help = "Check a running provider through its KMS socket",
                                      .flags = kProbeFlags,
                                      .run = RunProbe};

}  // namespace baokms::supervisor
