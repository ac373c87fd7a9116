#include "supervisor/kms/error_policy.h"

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "proto/ipc.pb.h"
#include "tests/base/test_data.h"

namespace baokms::supervisor {
namespace {

nlohmann::json Fixture() {
  std::ifstream file(TestDataPath("fixtures/errors/error-policy.json"));
  return nlohmann::json::parse(file);
}

// Which codes an outage can cause, so that their texts say so (docs/contract.md#error-table).
std::string WithSuffix(const std::string& code, const std::string& text) {
  static const std::set<std::string> kTemporary = {"UNAVAILABLE",        "DEADLINE_EXCEEDED",
                                                   "RESOURCE_EXHAUSTED", "UNAUTHENTICATED",
                                                   "PERMISSION_DENIED",  "FAILED_PRECONDITION"};
  return kTemporary.contains(code) ? text + " (temporary)" : text;
}

GrpcCode CodeOf(const std::string& name) {
  static const std::map<std::string, GrpcCode> kCodes = {
      {"CANCELLED", GrpcCode::kCancelled},
      {"INVALID_ARGUMENT", GrpcCode::kInvalidArgument},
      {"DEADLINE_EXCEEDED", GrpcCode::kDeadlineExceeded},
      {"NOT_FOUND", GrpcCode::kNotFound},
      {"PERMISSION_DENIED", GrpcCode::kPermissionDenied},
      {"RESOURCE_EXHAUSTED", GrpcCode::kResourceExhausted},
      {"FAILED_PRECONDITION", GrpcCode::kFailedPrecondition},
      {"INTERNAL", GrpcCode::kInternal},
      {"UNAVAILABLE", GrpcCode::kUnavailable},
      {"UNAUTHENTICATED", GrpcCode::kUnauthenticated}};
  return kCodes.at(name);
}

void ExpectRow(Cause cause, const nlohmann::json& row, std::string text) {
  const PublicError& error = ErrorFor(cause);
  const std::string code = row.at("grpcCode");
  EXPECT_EQ(error.code, CodeOf(code));
  EXPECT_EQ(error.text, WithSuffix(code, text));
  EXPECT_EQ(error.error_class, row.at("observationClass").get<std::string>());
}

TEST(ErrorPolicyTest, LocalCausesAreTheDocumentedOnes) {
  const std::map<std::string, Cause> causes = {
      {"canceled", Cause::kCanceled},
      {"deadline", Cause::kDeadline},
      {"key metadata refresh", Cause::kDiscoveryFailed},
      {"empty plaintext", Cause::kEmptyPlaintext},
      {"empty ciphertext", Cause::kEmptyCiphertext},
      {"request limit", Cause::kRequestLimit},
      {"malformed key_id", Cause::kKeyIdMalformed},
      {"invalid annotations", Cause::kAnnotationsInvalid},
      {"annotation mismatch", Cause::kAnnotationsMismatch},
      {"response limit", Cause::kResponseLimit},
      {"concurrency", Cause::kConcurrency},
      {"unknown key_id", Cause::kKeyIdUnknown},
      {"status unavailable", Cause::kStatusUnavailable},
      {"status unhealthy", Cause::kStatusUnhealthy},
      {"active key unavailable", Cause::kNoActiveKey},
      {"status key_id mismatch", Cause::kStatusKeyIdMismatch},
      {"AAD mode not required", Cause::kAadNotRequired},
      {"panic", Cause::kPanic},
      {"invalid transit response", Cause::kBadAnswer},
      {"any other local error", Cause::kBadAnswer}};
  const nlohmann::json rows = Fixture().at("local");
  ASSERT_EQ(rows.size(), causes.size());
  for (const nlohmann::json& row : rows) {
    SCOPED_TRACE(row.dump());
    ExpectRow(causes.at(row.at("cause")), row, row.at("grpcMessage"));
  }
}

TEST(ErrorPolicyTest, OpenBaoClassesAreTheDocumentedOnesForBothMethods) {
  const std::map<std::string, ipc::Outcome> outcomes = {
      {"unauthenticated", ipc::OUTCOME_UNAUTHENTICATED},
      {"permission_denied", ipc::OUTCOME_PERMISSION_DENIED},
      {"not_found", ipc::OUTCOME_NOT_FOUND},
      {"invalid_request", ipc::OUTCOME_INVALID_REQUEST},
      {"decrypt_failed", ipc::OUTCOME_DECRYPT_FAILED},
      {"rate_limited", ipc::OUTCOME_RATE_LIMITED},
      {"sealed", ipc::OUTCOME_SEALED},
      {"unavailable", ipc::OUTCOME_UNAVAILABLE},
      {"tls_failed", ipc::OUTCOME_TLS_FAILED},
      {"dns_failed", ipc::OUTCOME_DNS_FAILED},
      {"connection_failed", ipc::OUTCOME_CONNECTION_FAILED},
      {"unknown", ipc::OUTCOME_UNKNOWN_STATUS},
      {"(untyped backend error)", ipc::OUTCOME_UNDECODABLE}};
  const nlohmann::json rows = Fixture().at("backend");
  ASSERT_EQ(rows.size(), outcomes.size());
  for (const nlohmann::json& row : rows) {
    SCOPED_TRACE(row.dump());
    const ipc::Outcome outcome = outcomes.at(row.at("openbaoErrorClass"));
    for (const auto& [method, word] :
         {std::pair(KmsMethod::kEncrypt, "encrypt"), std::pair(KmsMethod::kDecrypt, "decrypt")}) {
      std::string text = row.at("grpcMessage");
      const auto at = text.find("<method>");
      if (at != std::string::npos) {
        text.replace(at, std::string_view("<method>").size(), word);
      }
      ExpectRow(CauseOf(outcome, method), row, text);
    }
  }
}

TEST(ErrorPolicyTest, LocalOutcomesOfWorkersHaveTheirCauses) {
  const std::map<ipc::Outcome, Cause> causes = {
      {ipc::OUTCOME_OK, Cause::kNone},
      {ipc::OUTCOME_CANCELED, Cause::kCanceled},
      {ipc::OUTCOME_TIMEOUT, Cause::kDeadline},
      {ipc::OUTCOME_LOGIN_TIMEOUT, Cause::kUnavailable},
      {ipc::OUTCOME_AUTH_FAILED, Cause::kUnauthenticated},
      {ipc::OUTCOME_KEY_ID_MALFORMED, Cause::kKeyIdMalformed},
      {ipc::OUTCOME_KEY_ID_UNKNOWN, Cause::kDiscoveryFailed},
      {ipc::OUTCOME_ANNOTATIONS_INVALID, Cause::kAnnotationsInvalid},
      {ipc::OUTCOME_ANNOTATIONS_MISMATCH, Cause::kAnnotationsMismatch},
      {ipc::OUTCOME_REQUEST_LIMIT, Cause::kRequestLimit},
      {ipc::OUTCOME_RESPONSE_LIMIT, Cause::kResponseLimit},
      {ipc::OUTCOME_BAD_ANSWER, Cause::kBadAnswer},
      {ipc::OUTCOME_STALE_TABLE, Cause::kStatusKeyIdMismatch},
      {ipc::OUTCOME_OVERLOADED, Cause::kConcurrency},
      {ipc::OUTCOME_INTERNAL, Cause::kBadAnswer}};
  for (const auto& [outcome, cause] : causes) {
    EXPECT_EQ(CauseOf(outcome, KmsMethod::kDecrypt), cause) << ipc::Outcome_Name(outcome);
  }
}

TEST(ErrorPolicyTest, EveryCodeHasItsWord) {
  for (int i = 0; i <= static_cast<int>(kLastCause); ++i) {
    EXPECT_NE(ToString(ErrorFor(static_cast<Cause>(i)).code), "unknown");
  }
  EXPECT_EQ(ToString(GrpcCode::kCancelled), "canceled");
  EXPECT_EQ(ToString(GrpcCode::kDeadlineExceeded), "deadline_exceeded");
}

}  // namespace
}  // namespace baokms::supervisor
