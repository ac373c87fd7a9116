// Answers of a token endpoint: the first byte chooses the status and the content type, the others
// are the body. Properties: only a complete JSON object of status 200 brings a token, which an
// independent reader finds too, and no text of the answer appears in the reason.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <nlohmann/json.hpp>

#include "authagent/oauth2_grant.h"
#include "common/openbao/http_limits.h"
#include "tests/fuzz/require.h"

namespace {

using baokms::Require;
using baokms::authagent::AuthStatus;
using baokms::authagent::GrantOutcome;

constexpr std::array<long, 4> kStatuses = {200, 400, 429, 503};
constexpr std::array kTypes = {"application/json", "Application/JSON ; charset=utf-8",
                               "application/jsonp", ""};

void CheckGranted(const GrantOutcome& outcome, std::string_view body) {
  const nlohmann::json independent = nlohmann::json::parse(body, nullptr, false);
  Require(independent.is_object(), "a grant is one object");
  const std::string_view token = outcome.access_token.RevealText();
  Require(!token.empty() && independent.value("access_token", "") == token, "the same token");
  Require(token.size() <= baokms::openbao::kMaxFormAnswerBytes, "a token is bounded");
  Require(!outcome.expires_in || *outcome.expires_in > 0, "a lifetime is positive");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  baokms::openbao::FormAnswer answer;
  answer.error_class = baokms::openbao::ErrorClass::kOk;
  answer.status = kStatuses[data[0] % kStatuses.size()];
  answer.content_type = kTypes[data[0] / kStatuses.size() % kTypes.size()];
  answer.body.Append(body);
  const GrantOutcome outcome = baokms::authagent::ClassifyGrant(answer);
  if (outcome.finding.status == AuthStatus::kOk) {
    Require(answer.status == 200, "only a success brings a token");
    CheckGranted(outcome, body);
  } else {
    Require(outcome.access_token.size() == 0, "a refusal brings no token");
  }
  return 0;
}
