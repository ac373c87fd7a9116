#include "authagent/pkcs11/hsm_credential.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <span>
#include <utility>

#include "authagent/pkcs11/key_probe.h"
#include "authagent/pkcs11/module_error.h"
#include "authagent/pkcs11/pin.h"
#include "authagent/pkcs11/provider_key.h"
#include "common/base/error.h"
#include "common/base/safe_path.h"
#include "common/base/unique_fd.h"
#include "common/openbao/api.h"
#include "common/openbao/request_bodies.h"
#include "common/openbao/tls.h"
#include "common/openbao/wiped_buffer.h"
#include "common/setup/module_file.h"
#include "ipc/message_type.h"

namespace baokms::authagent {
namespace {

// How soon a new PIN, or a cleared latch, is noticed.
constexpr BootTime kPinPoll = std::chrono::seconds(5);

// A process that cannot open its module answers logins with the reason for this long, then exits so
// that a new one can try.
constexpr BootTime kBrokenLife = std::chrono::seconds(5);

// TLS waits for its signature on the loop's thread, and the process's dead man's timer fires after
// 15 s.
constexpr BootTime kMaxSignatureTime = std::chrono::seconds(10);

std::string_view ReasonOf(ipc::PinAttemptAnswer::Verdict verdict) {
  switch (verdict) {
    case ipc::PinAttemptAnswer::VERDICT_REFUSED_BEFORE:
      return "PIN latched: the token refused it; replace the PIN, or clear the latch";
    case ipc::PinAttemptAnswer::VERDICT_UNFINISHED_BEFORE:
      return "PIN latched: an attempt with it never ended; replace the PIN, or clear the latch";
    default:
      return "PIN latch cannot be read or written";
  }
}

std::span<const std::uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

bool IsNativeError(const Error& error) {
  return error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kDeadlineExceeded;
}

Result<KeySelection> ToSelection(const ipc::Pkcs11Setup& setup) {
  return setup.uri().empty()
             ? KeySelection::FromLabels(setup.module_path(), setup.token_label(), setup.key_label())
             : KeySelection::FromUri(setup.uri(), setup.module_path());
}

// Returns the algorithms for TLS when the token does not support everything that suits the key.
std::string AlgorithmsOf(const HsmKeyFacts& facts) {
  if (facts.kind != KeyKind::kRsa || (facts.rsa_pkcs1 && facts.rsa_pss)) {
    return {};
  }
  return facts.rsa_pss ? "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512"
                       : "RSA+SHA256:RSA+SHA384:RSA+SHA512";
}

}  // namespace

Result<std::unique_ptr<Credential>> OpenHsm(const ipc::AgentSetup& setup,
                                            const CredentialHost& host) {
  BAOKMS_TRY(LoadSigningProvider());
  const ipc::Pkcs11Setup& pkcs11 = setup.pkcs11();
  HsmOptions options{
      .certificate_file = pkcs11.certificate_file(),
      .pin = PlaceOf(setup, pkcs11.pin_file()),
      .pin_salt = pkcs11.pin_salt(),
      .role = pkcs11.role(),
      .own_user = ::geteuid(),
      .rules = {.min_remaining_s = pkcs11.min_remaining_s(), .leeway_s = pkcs11.leeway_s()},
      .call_limit = BootTime(setup.login_timeout_ns())};
  return std::unique_ptr<Credential>(
      std::make_unique<HsmCredential>(host, BAOKMS_TRY(NativeThread::Start()),
                                      BAOKMS_TRY(ToSelection(pkcs11)), std::move(options)));
}

HsmCredential::HsmCredential(const CredentialHost& host,
                             std::unique_ptr<NativeThread> thread,
                             KeySelection selection,
                             HsmOptions options)
    : host_(host),
      loop_(host.session.loop()),
      selection_(std::move(selection)),
      options_(std::move(options)),
      thread_(std::move(thread)) {
}

template <typename T>
void HsmCredential::CallNative(std::function<Result<T>()> native,
                               std::function<void(Result<T>)> next) {
  const EventLoop::TimerId watchdog = loop_.After(options_.call_limit, [this] {
    reason_ = "PKCS#11 module does not answer";
    EndProcess(ipc::ExitCode::kModuleHung, "module_hung");
  });
  thread_->Post([this, native = std::move(native), next = std::move(next), watchdog] {
    auto result = std::make_shared<Result<T>>(native());
    loop_.Post([this, result, next, watchdog] {
      loop_.Cancel(watchdog);
      next(std::move(*result));
    });
  });
}

void HsmCredential::Start() {
  Opened module = setup::OpenModuleFile(selection_.module_path(), options_.own_user);
  if (module.refusal) {
    return WaitForOperator(State::kAbsent, RefusalReason(*module.refusal, selection_.module_key()));
  }
  state_ = State::kOpening;
  CallNative<std::shared_ptr<HsmSession>>(
      [this, file = std::make_shared<UniqueFd>(
                 std::move(module.fd))]() -> Result<std::shared_ptr<HsmSession>> {
        std::unique_ptr<HsmSession> session = BAOKMS_TRY(HsmSession::Open(file->get(), selection_));
        return std::shared_ptr<HsmSession>(std::move(session));
      },
      [this](Result<std::shared_ptr<HsmSession>> session) { OnOpened(std::move(session)); });
}

void HsmCredential::OnOpened(Result<std::shared_ptr<HsmSession>> session) {
  if (!session) {
    return OnNotUsable(session.error());
  }
  session_ = std::move(*session);
  AskForAttempt();
}

// Also called later: in kWaiting it asks repeatedly, with the PIN that the file then contains.
void HsmCredential::AskForAttempt() {
  const bool from_uri = !selection_.pin_file().empty();
  SecretRead pin = ReadPinFile(
      from_uri ? Literal("pin-source of auth.cert.pkcs11.uri") : "auth.cert.pkcs11.pinFile",
      from_uri ? SecretPlace{selection_.pin_file(), options_.own_user} : options_.pin);
  if (!pin.reason.empty()) {
    return WaitForPin(std::move(pin.reason));
  }
  const Result<std::uint16_t> tag = PinTag(Bytes(options_.pin_salt), pin.secret);
  if (!tag) {
    return Break(tag.error());
  }
  pin_ = std::make_shared<SecretBuffer>(std::move(pin.secret));
  state_ = State::kAsking;
  ipc::PinAttemptBegin begin;
  begin.set_tag(*tag);
  host_.session.Tell(ipc::MessageType::kPinAttemptBegin, begin);
}

Status HsmCredential::OnPinAnswer(ipc::PinAttemptAnswer::Verdict verdict) {
  if (state_ != State::kAsking) {
    return Error(ErrorCode::kProtocolViolation, "PinAttemptAnswer without a question");
  }
  if (verdict != ipc::PinAttemptAnswer::VERDICT_ALLOWED) {
    pin_.reset();
    WaitForPin(std::string(ReasonOf(verdict)));
    return {};
  }
  LogIn();
  return {};
}

void HsmCredential::LogIn() {
  state_ = State::kLoggingIn;
  CallNative<void>(
      [session = session_, pin = std::move(pin_)] { return session->Login(pin->Reveal()); },
      [this](const Status& status) { OnLoggedIn(status); });
}

void HsmCredential::OnLoggedIn(const Status& status) {
  if (status) {
    EndAttempt(ipc::PinAttemptEnd::RESULT_ACCEPTED);
    return FindKey();
  }
  // Without an end the attempt stays recorded: the token may have counted it.
  const auto result = ClassifyLogin(status.error());
  if (result) {
    EndAttempt(*result);
  }
  if (result == ipc::PinAttemptEnd::RESULT_REFUSED) {
    return WaitForPin(Describe(status.error()));
  }
  Break(status.error());
}

void HsmCredential::EndAttempt(ipc::PinAttemptEnd::Result result) {
  ipc::PinAttemptEnd end;
  end.set_result(result);
  host_.session.Tell(ipc::MessageType::kPinAttemptEnd, end);
}

void HsmCredential::FindKey() {
  CallNative<HsmKeyFacts>(
      [this]() -> Result<HsmKeyFacts> {
        const HsmKeyFacts facts = BAOKMS_TRY(session_->FindKey(selection_));
        BAOKMS_TRY(WarmUpKey(*session_, facts));
        return facts;
      },
      [this](const Result<HsmKeyFacts>& facts) {
        if (facts) {
          BecomeReady(*facts);
        } else {
          OnNotUsable(facts.error());
        }
      });
}

void HsmCredential::BecomeReady(const HsmKeyFacts& facts) {
  facts_ = facts;
  key_ = std::make_unique<ThreadedKey>(*thread_, *session_,
                                       std::min(options_.call_limit, kMaxSignatureTime),
                                       [this](const Error& error) { OnSignFailed(error); });
  if (const Status confined = host_.confine(); !confined) {
    reason_ = confined.error().what();
    return EndProcess(ipc::ExitCode::kStartFailed, "not_confined");
  }
  state_ = State::kReady;
  reason_.clear();
  Log(LogLevel::kInfo, "ok");
  AnswerWaiters();
  host_.changed();
}

// An operator must change the PIN or clear the latch. This process keeps its module open meanwhile,
// so that nothing is tried twice.
void HsmCredential::WaitForPin(std::string reason) {
  state_ = State::kWaiting;
  if (reason != reason_) {
    reason_ = std::move(reason);
    Log(LogLevel::kError, "pin_waiting");
    host_.changed();
  }
  AnswerWaiters();
  loop_.After(kPinPoll, [this] {
    if (state_ == State::kWaiting) {
      AskForAttempt();
    }
  });
}

void HsmCredential::OnNotUsable(const Error& error) {
  if (!NeedsOperator(error)) {
    return Break(error);
  }
  WaitForOperator(error.code() == ErrorCode::kNotFound ? State::kAbsent : State::kUnusable,
                  Describe(error));
}

// A new process would find the same, and would present the PIN to the token each time. The process
// therefore stays and reports the problem to every login.
void HsmCredential::WaitForOperator(State state, std::string reason) {
  state_ = state;
  const bool known = reason_ == reason;
  if (!known) {
    reason_ = std::move(reason);
    Log(LogLevel::kError, session_ == nullptr ? "module_failed" : "key_unusable");
  }
  AnswerWaiters();
  if (!known) {
    host_.changed();  // it asks for the credential at once
  }
}

// The intervals are those of the workers' logins. The PIN is not presented again.
void HsmCredential::LookAgain() {
  if (session_ == nullptr) {
    return Start();
  }
  state_ = State::kLoggingIn;
  FindKey();
}

void HsmCredential::Break(const Error& error) {
  state_ = State::kBroken;
  reason_ = Describe(error);
  Log(LogLevel::kError, "module_failed");
  AnswerWaiters();
  host_.changed();
  loop_.After(kBrokenLife, [this] { host_.session.End(ipc::ExitCode::kModuleFailed); });
}

// A working session was lost, so the process exits and its successor replaces it quickly.
void HsmCredential::OnSignFailed(const Error& error) {
  reason_ = Describe(error);
  const bool hung = error.code() == ErrorCode::kDeadlineExceeded;
  EndProcess(hung ? ipc::ExitCode::kModuleHung : ipc::ExitCode::kModuleFailed,
             hung ? "module_hung" : "module_failed");
}

void HsmCredential::EndProcess(ipc::ExitCode code, std::string_view status) {
  if (std::exchange(state_, State::kBroken) != State::kBroken) {
    Log(LogLevel::kError, status);
  }
  AnswerWaiters();
  host_.session.End(code);
}

void HsmCredential::Acquire(BootTime deadline, std::function<void(Acquired)> done) {
  // Stamped before the file is read, so that Replaced() detects a replacement in between.
  seen_ = StampFile(options_.certificate_file);
  if (state_ == State::kAbsent) {
    LookAgain();
  }
  Serve(ByDeadline(deadline, std::move(done)));
}

// Calls `done` once: with the answer, or at the deadline if there is none by then.
HsmCredential::Answer HsmCredential::ByDeadline(BootTime deadline, Answer done) {
  const auto pending = std::make_shared<Answer>(std::move(done));
  const EventLoop::TimerId timer = loop_.At(deadline, [this, pending] {
    if (Answer late = std::exchange(*pending, nullptr)) {
      late(NotReady());
    }
  });
  return [this, pending, timer](Acquired acquired) {
    if (Answer waiting = std::exchange(*pending, nullptr)) {
      loop_.Cancel(timer);
      waiting(std::move(acquired));
    }
  };
}

void HsmCredential::Serve(const Answer& answer) {
  if (state_ == State::kWaiting || state_ == State::kBroken || state_ == State::kUnusable ||
      state_ == State::kAbsent) {
    return answer(NotReady());
  }
  if (state_ != State::kReady) {
    waiters_.push_back(answer);
    return;
  }
  auto [certificate, finding] = ReadChainFile(options_.certificate_file, options_.own_user);
  if (finding.status != AuthStatus::kOk) {
    return answer(Unusable(finding.status, finding.reason));
  }
  Acquired acquired;
  acquired.ends_unix = certificate.ends_unix;
  acquired.finding = CheckCertificate(certificate, options_.rules, UnixNow());
  if (acquired.finding.status != AuthStatus::kOk) {
    return answer(std::move(acquired));
  }
  ProbeAndAnswer(std::move(certificate), answer);
}

void HsmCredential::ProbeAndAnswer(ClientCertificate certificate, const Answer& answer) {
  const auto shared = std::make_shared<ClientCertificate>(std::move(certificate));
  CallNative<void>([this, shared] { return ProbeKey(*shared->public_key(), *session_, facts_); },
                   [this, shared, answer](const Status& status) {
                     Acquired acquired;
                     if (status) {
                       acquired = Identify(*shared);
                     } else {
                       const bool native = IsNativeError(status.error());
                       acquired = Unusable(native ? AuthStatus::kError : AuthStatus::kCertInvalid,
                                           Describe(status.error()));
                     }
                     acquired.ends_unix = shared->ends_unix;
                     answer(std::move(acquired));
                     if (!status && IsNativeError(status.error())) {
                       reason_ = Describe(status.error());
                       EndProcess(ipc::ExitCode::kModuleFailed, "module_failed");
                     }
                   });
}

Acquired HsmCredential::Identify(const ClientCertificate& certificate) {
  Result<EvpKey> key = MakeProviderKey(*certificate.public_key(), *key_);
  if (!key) {
    return Unusable(AuthStatus::kError, key.error().what());
  }
  const openbao::BodyMember name{"name", options_.role};
  Result<openbao::WipedBuffer> body =
      openbao::BuildObject({&name, std::size_t{options_.role.empty() ? 0U : 1U}});
  if (!body) {
    return Unusable(AuthStatus::kError, body.error().what());
  }
  openbao::TlsIdentity identity;
  identity.leaf = certificate.leaf;
  identity.chain.assign(certificate.chain.begin(), certificate.chain.end());
  identity.key = std::shared_ptr<EVP_PKEY>(std::move(*key));
  identity.signature_algorithms = AlgorithmsOf(facts_);
  identity.versions = facts_.kind == KeyKind::kRsa && !facts_.rsa_pss
                          ? openbao::TlsIdentity::Versions::kTls12Only  // TLS 1.3 has RSA-PSS only
                          : openbao::TlsIdentity::Versions::kAll;
  Acquired acquired;
  acquired.finding = {AuthStatus::kOk, ""};
  acquired.request = {ipc::OPERATION_CERT_LOGIN, std::move(*body),
                      std::make_shared<const openbao::TlsIdentity>(std::move(identity))};
  return acquired;
}

Acquired HsmCredential::NotReady() const {
  return Unusable(state_ == State::kUnusable ? AuthStatus::kCertInvalid : AuthStatus::kError,
                  reason_.empty() ? std::string_view("the PKCS#11 module is slow") : reason_);
}

void HsmCredential::AnswerWaiters() {
  for (const Answer& waiter : std::exchange(waiters_, {})) {
    Serve(waiter);
  }
}

bool HsmCredential::Replaced() const {
  return StampFile(options_.certificate_file) != seen_;
}

void HsmCredential::Log(LogLevel level, std::string_view status) {
  LogRecord record;
  record.level = level;
  record.event = "auth.hsm";
  record.fields = {{"operation", "auth.hsm"}, {"status", std::string(status)}};
  if (!reason_.empty()) {
    record.fields.emplace_back("reason", reason_);
  }
  host_.session.log().Write(record);
}

}  // namespace baokms::authagent
