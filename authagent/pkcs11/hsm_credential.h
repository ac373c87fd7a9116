// A certificate whose key is in a PKCS#11 module, as the credential of logins. It opens the module
// once, asks before it shows the PIN to the token, and never tries to mend a session: when anything
// but the PIN is refused, the process ends and its successor starts anew.

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
  BootTime call_limit{};  // a native call that takes longer hangs
};

// What the credential needs of the process around it. None of these may call back into it.
struct HsmHost {
  std::function<void(std::uint16_t tag)> begin_attempt;  // answered by OnPinAnswer()
  std::function<void(ipc::PinAttemptEnd::Result)> end_attempt;
  std::function<Status()> confine;         // everything is open: the narrow filter may come
  std::function<void()> changed;           // Acquire() has something new to say
  std::function<void(ipc::ExitCode)> end;  // the process is done for
};

class HsmCredential final : public Credential {
 public:
  // All references must outlive it.
  HsmCredential(EventLoop& loop,
                NativeThread& thread,
                LogSink& log,
                KeySelection selection,
                HsmOptions options,
                HsmHost host);

  // Opens the module, on the native thread. To be called once, on the loop.
  void Start();

  // The supervisor's word on begin_attempt(). kProtocolViolation: it was not asked.
  Status OnPinAnswer(ipc::PinAttemptAnswer::Verdict verdict);

  // Waits for the session while it is being opened; signs a probe each time.
  void Acquire(BootTime deadline, std::function<void(Acquired)> done) override;

  [[nodiscard]] bool Replaced() const override;

 private:
  enum class State : std::uint8_t {
    kClosed,
    kOpening,    // module, token and session
    kAsking,     // whether the PIN may be tried
    kLoggingIn,  // the PIN, then the key
    kWaiting,    // for another PIN, or for the latch to be cleared
    kUnusable,   // the key cannot do what TLS needs; only another key can
    kReady,
    kBroken,  // about to end
  };

  using Answer = std::function<void(Acquired)>;

  // Runs `native` on the module's thread and then `next` on the loop, unless it hangs.
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
  std::shared_ptr<SecretBuffer> pin_;  // from reading its file until the token has judged it
  std::string reason_ = "PKCS#11 module not open yet";
  std::vector<Answer> waiters_;  // for kReady
  FileStamp seen_;
};

}  // namespace baokms::authagent
