// A certificate whose key is in a PKCS#11 module, as a login credential. It opens the module once,
// asks for permission before it presents the PIN to the token, and never recovers a session in
// place: after any failure except a refused PIN or an unusable key, the process ends and a new one
// starts.

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
#include "authagent/pkcs11/threaded_key.h"
#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/base/safe_path.h"
#include "common/base/secret_buffer.h"
#include "ipc/child_descriptors.h"
#include "proto/ipc.pb.h"

namespace baokms::authagent {

struct HsmOptions {
  std::string certificate_file;
  std::string pin_file;
  std::string pin_salt;
  uid_t own_user = 0;
  CertificateRules rules;
  BootTime call_limit{};  // a native call that takes longer is considered hung
};

// The functions of the process that the credential uses. None of these may call back into it.
struct HsmHost {
  std::function<void(std::uint16_t tag)> begin_attempt;  // answered by OnPinAnswer()
  std::function<void(ipc::PinAttemptEnd::Result)> end_attempt;
  std::function<Status()> confine;         // everything is open: install the narrow filter
  std::function<void()> changed;           // Acquire() would now answer differently
  std::function<void(ipc::ExitCode)> end;  // the process must exit
};

class HsmCredential final : public Credential {
 public:
  // All references must outlive the credential.
  HsmCredential(EventLoop& loop,
                NativeThread& thread,
                LogSink& log,
                KeySelection selection,
                HsmOptions options,
                HsmHost host);

  // Opens the module, on the native thread. Call it once, on the loop's thread.
  void Start();

  // Handles the supervisor's answer to begin_attempt(). kProtocolViolation: it was not requested.
  Status OnPinAnswer(ipc::PinAttemptAnswer::Verdict verdict);

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
  void OnKeyFailed(const Error& error);
  void Break(const Error& error);
  void OnSignFailed(const Error& error);
  void EndProcess(ipc::ExitCode code, std::string_view status);
  [[nodiscard]] Answer ByDeadline(BootTime deadline, Answer done);
  void Serve(const Answer& answer);
  void AnswerWaiters();
  void ProbeAndAnswer(ClientCertificate certificate, const Answer& answer);
  [[nodiscard]] Acquired Identify(const ClientCertificate& certificate);
  [[nodiscard]] Acquired NotReady() const;
  void Log(LogLevel level, std::string_view status);

  EventLoop& loop_;
  NativeThread& thread_;
  LogSink& log_;
  KeySelection selection_;
  HsmOptions options_;
  HsmHost host_;
  State state_ = State::kClosed;
  std::shared_ptr<HsmSession> session_;
  HsmKeyFacts facts_;
  std::unique_ptr<ThreadedKey> key_;
  std::shared_ptr<SecretBuffer> pin_;  // held until the token has accepted or refused it
  std::string reason_ = "PKCS#11 module not open yet";
  std::vector<Answer> waiters_;  // waiting for kReady
  FileStamp seen_;
};

}  // namespace baokms::authagent
