#include "supervisor/workers/answer_checks.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include <google/protobuf/repeated_field.h>

#include "common/base/error.h"
#include "common/base/result.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {
namespace {

using Calls = google::protobuf::RepeatedPtrField<ipc::Call>;

constexpr std::string_view kRequestIdCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:";
constexpr std::string_view kWordCharacters = "abcdefghijklmnopqrstuvwxyz0123456789_";
constexpr std::string_view kEventCharacters = "abcdefghijklmnopqrstuvwxyz0123456789_.-";

bool IsMadeOf(std::string_view text, std::string_view characters, std::size_t longest) {
  return text.size() <= longest && text.find_first_not_of(characters) == std::string_view::npos;
}

bool IsStated(ipc::Outcome outcome) {
  return ipc::Outcome_IsValid(outcome) && outcome != ipc::OUTCOME_UNSPECIFIED;
}

Status CheckOutcome(ipc::Outcome outcome) {
  if (!IsStated(outcome)) {
    return Error(ErrorCode::kProtocolViolation, "answer without a known outcome");
  }
  return {};
}

bool IsHonest(const ipc::Call& call) {
  return ipc::Operation_IsValid(call.operation()) &&
         call.operation() != ipc::OPERATION_UNSPECIFIED && IsStated(call.outcome()) &&
         IsMadeOf(call.request_id(), kRequestIdCharacters, kMaxRequestId);
}

Status CheckCalls(const Calls& calls) {
  if (static_cast<std::size_t>(calls.size()) > ipc::kMaxCalls ||
      !std::ranges::all_of(calls, IsHonest)) {
    return Error(ErrorCode::kProtocolViolation, "too many calls in an answer, or malformed ones");
  }
  return {};
}

template <typename Answer>
Status CheckOutcomeAndCalls(const Answer& answer) {
  BAOKMS_TRY(CheckOutcome(answer.outcome()));
  return CheckCalls(answer.calls());
}

}  // namespace

Status CheckForm(const ipc::EncryptAnswer& answer) {
  return CheckOutcomeAndCalls(answer);
}

Status CheckForm(const ipc::DecryptAnswer& answer) {
  return CheckOutcomeAndCalls(answer);
}

Status CheckForm(const ipc::MetadataAnswer& answer) {
  BAOKMS_TRY(CheckOutcomeAndCalls(answer));
  // config/keys may not have been read when the key itself could not be.
  const bool upsert_may_be_unread =
      answer.outcome() != ipc::OUTCOME_OK && answer.upsert_outcome() == ipc::OUTCOME_UNSPECIFIED;
  if ((!IsStated(answer.upsert_outcome()) && !upsert_may_be_unread) ||
      static_cast<std::size_t>(answer.versions_size()) > ipc::kMaxKeyVersions ||
      answer.type().size() > kMaxKeyTypeName) {
    return Error(ErrorCode::kProtocolViolation, "metadata answer over its limits");
  }
  return {};
}

Status CheckForm(const ipc::ProbeEncryptAnswer& answer) {
  return CheckOutcomeAndCalls(answer);
}

Status CheckForm(const ipc::ProbeDecryptAnswer& answer) {
  return CheckOutcomeAndCalls(answer);
}

Status CheckForm(const ipc::KeyTableAnswer& answer) {
  return CheckOutcome(answer.outcome());
}

Status CheckForm(const ipc::TokenStatus& status) {
  BAOKMS_TRY(CheckOutcome(status.last_outcome()));
  BAOKMS_TRY(CheckCalls(status.calls()));
  if (!IsMadeOf(status.status(), kWordCharacters, kMaxStatusWord) ||
      status.expires_boottime_ns() < 0) {
    return Error(ErrorCode::kProtocolViolation, "token status of an unknown form");
  }
  return {};
}

Status CheckForm(const ipc::ConfinementReport& report) {
  if (!IsMadeOf(report.filter_name(), kEventCharacters, kMaxStatusWord)) {
    return Error(ErrorCode::kProtocolViolation, "filter name of an unknown form");
  }
  return {};
}

Status CheckForm(const ipc::LogRecord& record) {
  const bool fields_fit = std::ranges::all_of(record.fields(), [](const ipc::LogField& field) {
    return !field.key().empty() && IsMadeOf(field.key(), kEventCharacters, ipc::kMaxLogText) &&
           field.text().size() <= ipc::kMaxLogText;
  });
  if (!ipc::LogRecord::Level_IsValid(record.level()) || record.event().empty() ||
      !IsMadeOf(record.event(), kEventCharacters, ipc::kMaxLogText) ||
      static_cast<std::size_t>(record.fields_size()) > ipc::kMaxLogFields || !fields_fit) {
    return Error(ErrorCode::kProtocolViolation, "log record over its limits");
  }
  return {};
}

}  // namespace baokms::supervisor
