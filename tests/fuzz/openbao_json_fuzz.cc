// Feeds any bytes to the parsers of OpenBao's answers. Properties: what one of them accepts is one
// JSON object for an independent reader too, cannot lose its last character, and gives only values
// within their limits.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <nlohmann/json.hpp>

#include "common/openbao/answers.h"
#include "common/openbao/http_limits.h"
#include "ipc/limits.h"
#include "tests/fuzz/require.h"

namespace {

using baokms::Require;
namespace openbao = baokms::openbao;

template <typename Value>
void CheckAccepted(std::string_view body,
                   baokms::Result<openbao::Answer<Value>> (*parser)(std::string_view)) {
  const auto answer = parser(body);
  if (!answer.has_value()) {
    return;
  }
  Require(nlohmann::json::parse(body, nullptr, false).is_object(), "accepted means one object");
  const std::size_t end = body.find_last_not_of(" \t\r\n");
  Require(!parser(body.substr(0, end)).has_value(), "accepted means complete");
  Require(answer->request_id.size() <= baokms::ipc::kMaxRequestId, "request_id is bounded");
}

void CheckAuth(std::string_view body) {
  const auto login = openbao::ParseLogin(body);
  if (login.has_value()) {
    const auto token = login->value.token.Reveal();
    Require(!token.empty() && token.size() <= openbao::kMaxTokenBytes, "a login brings a token");
    Require(
        std::all_of(token.begin(), token.end(), [](std::uint8_t c) { return c > 32 && c < 127; }),
        "a token fits into a header");
    Require(login->value.lease_seconds >= 0, "a lease is not negative");
    Require(openbao::ParseRenewal(body).has_value(), "a login is a renewal");
  }
}

void CheckMetadata(std::string_view body) {
  const auto metadata = openbao::ParseKeyMetadata(body);
  if (metadata.has_value()) {
    for (const auto& version : metadata->value.versions) {
      Require(version.number > 0, "versions are positive");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  CheckAccepted(body, &openbao::ParseKeyMetadata);
  CheckAccepted(body, &openbao::ParseUpsert);
  CheckAccepted(body, &openbao::ParseEncrypt);
  CheckAccepted(body, &openbao::ParseDecrypt);
  CheckAccepted(body, &openbao::ParseLogin);
  CheckAccepted(body, &openbao::ParseRenewal);
  CheckAuth(body);
  CheckMetadata(body);
  const auto errors = openbao::ParseErrors(body);
  Require(!errors.value.sealed || nlohmann::json::parse(body, nullptr, false).is_object(),
          "phrases are found in one object only");
  return 0;
}
