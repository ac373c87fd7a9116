#include "ipc/message_form.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/error.h"
#include "common/base/log.h"
#include "ipc/child_descriptors.h"
#include "ipc/key_versions.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"

namespace baokms::ipc {
namespace {

using Calls = google::protobuf::RepeatedPtrField<OpenBaoCall>;

constexpr std::string_view kRequestIdCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:";
constexpr std::string_view kStatusCharacters = "abcdefghijklmnopqrstuvwxyz0123456789_";
constexpr std::string_view kEventCharacters = "abcdefghijklmnopqrstuvwxyz0123456789_.-";

// The first failed check ends the examination: the sender is killed, and the log names that check.
Status Require(bool holds, Literal what) {
  return holds ? Status() : Status(Error(ErrorCode::kProtocolViolation, what));
}

bool IsMadeOf(std::string_view text, std::string_view characters, std::size_t longest) {
  return text.size() <= longest && text.find_first_not_of(characters) == std::string_view::npos;
}

bool IsStatusWord(std::string_view text) {
  return IsMadeOf(text, kStatusCharacters, kMaxStatusWord);
}

bool IsPrintable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

// Times before 1970 are allowed, because a certificate may contain any expiry time.
bool IsTime(std::int64_t unix_seconds) {
  return unix_seconds >= -kMaxUnixTime && unix_seconds <= kMaxUnixTime;
}

bool IsStated(Outcome outcome) {
  return Outcome_IsValid(outcome) && outcome != OUTCOME_UNSPECIFIED;
}

bool IsWellFormed(const OpenBaoCall& call) {
  return OpenBaoOperation_IsValid(call.operation()) && call.operation() != OPERATION_UNSPECIFIED &&
         IsStated(call.outcome()) &&
         IsMadeOf(call.request_id(), kRequestIdCharacters, kMaxRequestId) &&
         std::chrono::microseconds(call.duration_us()) <= kMaxCallDuration &&
         call.tls_alert() <= kMaxTlsAlert;
}

Status CheckCalls(const Calls& calls) {
  return Require(static_cast<std::size_t>(calls.size()) <= kMaxCalls &&
                     std::ranges::all_of(calls, IsWellFormed),
                 "too many or malformed calls in a message");
}

// Checks a message that concerns one child.
template <typename Message>
Status CheckChild(const Message& message) {
  return Require((message.role() == ROLE_WORKER && message.slot() < kMaxWorkers) ||
                     (message.role() == ROLE_AUTH_AGENT && message.slot() == 0),
                 "message about a child that cannot exist");
}

}  // namespace

Status CheckOutcomeAndCalls(Outcome outcome, const Calls& calls) {
  BAOKMS_TRY(Require(IsStated(outcome), "answer without a known outcome"));
  return CheckCalls(calls);
}

Status CheckForm(const Hello& hello) {
  return Require(hello.protocol_version() == kProtocolVersion && Role_IsValid(hello.role()),
                 "Hello of another version or of no known role");
}

Status CheckForm(const HelloAnswer& answer) {
  return Require(answer.protocol_version() == kProtocolVersion && answer.role() == ROLE_SUPERVISOR,
                 "HelloAnswer of another version or program");
}

Status CheckForm(const ProcDescriptor& message) {
  return Require(ProcDescriptor::Kind_IsValid(message.kind()) &&
                     message.kind() != ProcDescriptor::KIND_UNSPECIFIED,
                 "descriptor of an unknown kind");
}

Status CheckForm(const ConfinementReport& report) {
  return Require(IsMadeOf(report.filter_name(), kEventCharacters, kMaxStatusWord),
                 "malformed filter name in a confinement report");
}

Status CheckForm(const LogRecord& record) {
  const bool fields_fit = std::ranges::all_of(record.fields(), [](const LogField& field) {
    return !field.key().empty() && IsMadeOf(field.key(), kEventCharacters, kMaxLogName) &&
           field.text().size() <= kMaxLogText;
  });
  return Require(LogRecord::Level_IsValid(record.level()) && !record.event().empty() &&
                     IsMadeOf(record.event(), kEventCharacters, kMaxLogName) &&
                     static_cast<std::size_t>(record.fields_size()) <= kMaxLogFields && fields_fit,
                 "malformed log record");
}

Status CheckForm(const StartFailure& failure) {
  return Require(failure.code() >= static_cast<std::uint32_t>(ErrorCode::kInvalidArgument) &&
                     failure.code() <= static_cast<std::uint32_t>(ErrorCode::kInternal) &&
                     !failure.step().empty() && failure.step().size() <= kMaxStep &&
                     IsPrintable(failure.step()),
                 "malformed StartFailure");
}

Status CheckForm(const ConnectAnswer& answer) {
  return Require(IsStated(answer.outcome()), "ConnectAnswer without a known outcome");
}

Status CheckForm(const Tunables& tunables) {
  return Require(tunables.log_level() <= static_cast<std::uint32_t>(LogLevel::kError) &&
                     tunables.refresh_before_ns() > 0 &&
                     tunables.refresh_before_ns() <= kMaxLeaseSeconds * 1'000'000'000,
                 "Tunables out of range");
}

Status CheckForm(const KeyTableAnswer& answer) {
  return Require(IsStated(answer.outcome()), "answer without a known outcome");
}

Status CheckForm(const MetadataAnswer& answer) {
  BAOKMS_TRY(CheckOutcomeAndCalls(answer.outcome(), answer.calls()));
  // config/keys may be unread when the key itself could not be read.
  const bool upsert_may_be_unread =
      answer.outcome() != OUTCOME_OK && answer.upsert_outcome() == OUTCOME_UNSPECIFIED;
  BAOKMS_TRY(Require((IsStated(answer.upsert_outcome()) || upsert_may_be_unread) &&
                         answer.type().size() <= kMaxKeyTypeName,
                     "metadata answer over its limits"));
  return CheckForm(answer.versions());
}

Status CheckForm(const TokenStatus& status) {
  BAOKMS_TRY(CheckCalls(status.calls()));
  return Require(IsStated(status.last_outcome()) && IsStatusWord(status.status()) &&
                     status.expires_boottime_ns() >= 0,
                 "malformed TokenStatus");
}

Status CheckForm(const AgentStatus& status) {
  BAOKMS_TRY(CheckCalls(status.calls()));
  return Require(Outcome_IsValid(status.last_outcome()) && IsStatusWord(status.status()) &&
                     IsStatusWord(status.credential_status()) &&
                     IsTime(status.credential_ends_unix()) && IsTime(status.credential_due_unix()),
                 "malformed AgentStatus");
}

Status CheckForm(const PinAttemptBegin& begin) {
  return Require((begin.tag() & ~std::uint32_t{kPinTagBits}) == 0,
                 "PIN tag with more bits than it may disclose");
}

Status CheckForm(const PinAttemptAnswer& answer) {
  return Require(PinAttemptAnswer::Verdict_IsValid(answer.verdict()) &&
                     answer.verdict() != PinAttemptAnswer::VERDICT_UNSPECIFIED,
                 "answer to a PIN attempt without a verdict");
}

Status CheckForm(const PinAttemptEnd& end) {
  return Require(PinAttemptEnd::Result_IsValid(end.result()) &&
                     end.result() != PinAttemptEnd::RESULT_UNSPECIFIED,
                 "end of a PIN attempt without a result");
}

Status CheckForm(const LoginRequest& request) {
  return Require(request.request_id().size() == kLoginRequestIdSize && request.deadline_ns() > 0,
                 "malformed LoginRequest");
}

Status CheckForm(const LoginFailed& failed) {
  return Require(failed.request_id().size() == kLoginRequestIdSize && !failed.status().empty() &&
                     IsStatusWord(failed.status()) && IsStated(failed.outcome()) &&
                     failed.outcome() != OUTCOME_OK && failed.budget_wait_ns() >= 0,
                 "malformed LoginFailed");
}

Status CheckForm(const Spawn& spawn) {
  return CheckChild(spawn);
}

Status CheckForm(const Spawned& spawned) {
  BAOKMS_TRY(CheckChild(spawned));
  return Require((spawned.pid() > 0) != (spawned.error() != 0), "Spawned without a result");
}

Status CheckForm(const Kill& kill) {
  return CheckChild(kill);
}

Status CheckForm(const Exited& exited) {
  return CheckChild(exited);
}

Status CheckForm(const PeerChannel& peer) {
  return Require(peer.slot() < kMaxWorkers, "channel of a worker that cannot exist");
}

}  // namespace baokms::ipc
