// A certificate whose key is in a PKCS#11 module, as a login credential. It opens the module once,
// asks for permission before it presents the PIN to the token, and never recovers a session in
// place: after any failure that an operator need not correct (a refused PIN, an unusable key, a
// module, token or key that is not there), the process ends and a new one starts.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "authagent/credential.h"
#include "authagent/pkcs11/client_certificate.h"
#include "authagent/pkcs11/hsm_session.h"
#include "authagent/pkcs11/key_selection.h"
#include "authagent/pkcs11/native_thread.h"
#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/base/safe_path.h"
#include "common/base/secret_buffer.h"
#include "ipc/child_descriptors.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {

struct HsmOptions {
  std::string certificate_file;
  SecretPlace pin;
  std::string pin_salt;
  std::string role;  // the name of a certificate role; empty: OpenBao tries every role
  uid_t own_user = 0;
  CertificateRules rules;
  BootTime call_limit{};  // a native call that takes longer is considered hung
};

// Opens the credential that `setup` describes with pkcs11(), and starts the thread for its module.
Result<std::unique_ptr<Credential>> OpenHsm(const ipc::AgentSetup& setup,
                                            const CredentialHost& host);

class HsmCredential final : public Credential {
 public:
  HsmCredential(const CredentialHost& host,
                std::unique_ptr<NativeThread> thread,
                KeySelection selection,
                HsmOptions options);

  // Checks who may write the module, and opens it on the native thread.
  void Start() override;

  Status OnPinAnswer(ipc::PinAttemptAnswer::Verdict verdict) override;

  // Obtains the credential; waits while the session is being opened, and signs a probe each time.
  void Acquire(BootTime deadline, std::function<void(Acquired)> done) override;

  [[nodiscard]] bool Replaced() const override;

 private:
  enum class State : std::uint8_t {
    kClosed,
    kOpening,    // opening module, token and session
    kAsking,     // asking whether the PIN may be tried
    kLoggingIn,  // presenting the PIN, then finding the key
    kWaiting,    // waiting for another PIN, or for the latch to be cleared
    kUnusable,   // the key does not support what TLS needs; only another key can help
    kAbsent,     // module, token or key is not there; every login looks again
    kReady,
    kBroken,  // about to end
  };

  using Answer = std::function<void(Acquired)>;

  // Runs `native` on the module's thread and then `next` on the loop, unless `native` hangs.
  template <typename T>
  void CallNative(std::function<Result<T>()> native, std::function<void(Result<T>)> next);

  void OnOpened(Result<std::shared_ptr<HsmSession>> session);
  void AskForAttempt();
  void LogIn();
  void OnLoggedIn(const Status& status);
  void FindKey();
  void BecomeReady(const HsmKeyFacts& facts);
  void WaitForPin(std::string reason);
  void OnNotUsable(const Error& error);
  void WaitForOperator(State state, std::string reason);
  void LookAgain();
  void Break(const Error& error);
  void OnSignFailed(const Error& error);
  void EndAttempt(ipc::PinAttemptEnd::Result result);
  void EndProcess(ipc::ExitCode code, std::string_view status);
  [[nodiscard]] Answer ByDeadline(BootTime deadline, Answer done);
  void Serve(const Answer& answer);
  void AnswerWaiters();
  void ProbeAndAnswer(ClientCertificate certificate, const Answer& answer);
  [[nodiscard]] Acquired Identify(const ClientCertificate& certificate);
  [[nodiscard]] Acquired NotReady() const;
  void Log(LogLevel level, std::string_view status);

  CredentialHost host_;
  EventLoop& loop_;
  KeySelection selection_;
  HsmOptions options_;
  State state_ = State::kClosed;
  std::shared_ptr<HsmSession> session_;
  HsmKeyFacts facts_;
  std::unique_ptr<ThreadedKey> key_;
  std::shared_ptr<SecretBuffer> pin_;  // held until the token has accepted or refused it
  std::string reason_ = "PKCS#11 module not open yet";
  std::vector<Answer> waiters_;  // waiting for kReady
  FileStamp seen_;
  std::unique_ptr<NativeThread> thread_;  // ends first, because its tasks use the members above
};

}  // namespace baokms::authagent
