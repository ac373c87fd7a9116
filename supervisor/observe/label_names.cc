#include "supervisor/observe/label_names.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "ipc/auth_status.h"

namespace baokms::supervisor {
namespace {

using OutcomeRow = std::pair<ipc::Outcome, std::string_view>;

constexpr OutcomeRow kOutcomes[] = {
    {ipc::OUTCOME_OK, "ok"},
    {ipc::OUTCOME_INVALID_REQUEST, "invalid_request"},
    {ipc::OUTCOME_UNAUTHENTICATED, "unauthenticated"},
    {ipc::OUTCOME_PERMISSION_DENIED, "permission_denied"},
    {ipc::OUTCOME_NOT_FOUND, "not_found"},
    {ipc::OUTCOME_DECRYPT_FAILED, "decrypt_failed"},
    {ipc::OUTCOME_PRECONDITION_FAILED, "precondition_failed"},
    {ipc::OUTCOME_RATE_LIMITED, "rate_limited"},
    {ipc::OUTCOME_SEALED, "sealed"},
    {ipc::OUTCOME_UNAVAILABLE, "unavailable"},
    {ipc::OUTCOME_OVERLOADED, "unavailable"},
    {ipc::OUTCOME_TLS_FAILED, "tls_failed"},
    {ipc::OUTCOME_DNS_FAILED, "dns_failed"},
    {ipc::OUTCOME_CONNECTION_FAILED, "connection_failed"},
    {ipc::OUTCOME_CANCELED, "canceled"},
    {ipc::OUTCOME_TIMEOUT, "timeout"},
    {ipc::OUTCOME_LOGIN_TIMEOUT, "timeout"},
    {ipc::OUTCOME_AUTH_FAILED, "auth_failed"},
    {ipc::OUTCOME_LOGIN_BUDGET, "auth_failed"},
};

constexpr std::size_t kMaxWord = 64;

char NormaliseCharacter(char c) {
  if (c >= 'A' && c <= 'Z') {
    return static_cast<char>(c - 'A' + 'a');
  }
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
}

}  // namespace

std::string OperationLabel(ipc::OpenBaoOperation operation) {
  constexpr std::string_view kPrefix = "OPERATION_";
  const std::string_view name = ipc::OpenBaoOperation_Name(operation);
  const bool known = operation != ipc::OPERATION_UNSPECIFIED && name.starts_with(kPrefix);
  return known ? NormaliseLabel(name.substr(kPrefix.size())) : "unknown";
}

std::string_view OutcomeLabel(ipc::Outcome outcome) {
  const auto* found = std::ranges::find(kOutcomes, outcome, &OutcomeRow::first);
  return found == std::end(kOutcomes) ? std::string_view("unknown") : found->second;
}

std::string_view AuthStatusLabel(std::string_view word) {
  const auto* const known = std::ranges::find(ipc::kAuthStatusWords, word);
  return known != ipc::kAuthStatusWords.end() ? *known
                                              : std::string_view(word.empty() ? "" : "error");
}

std::string NormaliseLabel(std::string_view text) {
  std::string word;
  for (const char c : text.substr(0, kMaxWord)) {
    word.push_back(NormaliseCharacter(c));
  }
  return word.empty() ? "unknown" : word;
}

std::string LabelLimiter::Admit(std::string_view text) {
  std::string word = NormaliseLabel(text);
  const std::lock_guard lock(mutex_);
  if (known_.contains(word)) {
    return word;
  }
  if (known_.size() == limit_) {
    return "other";
  }
  known_.insert(word);
  return word;
}

}  // namespace baokms::supervisor
