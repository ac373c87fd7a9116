#include "common/openbao/outcome.h"

#include <array>

#include <curl/curl.h>
#include <gtest/gtest.h>

namespace baokms::openbao {
namespace {

constexpr ErrorTexts kSealedText{.sealed = true, .authentication_failed = false};
constexpr ErrorTexts kTagText{.sealed = false, .authentication_failed = true};

TEST(OutcomeTest, EveryStatusHasItsClassAndRemedy) {
  struct Row {
    long status;
    ErrorClass error_class;
    Remedy remedy;
  };

  constexpr std::array<Row, 20> kRows{{
      {300, ErrorClass::kUnavailable, Remedy::kOtherAddress},
      {307, ErrorClass::kUnavailable, Remedy::kOtherAddress},
      {399, ErrorClass::kUnavailable, Remedy::kOtherAddress},
      {400, ErrorClass::kInvalidRequest, Remedy::kNone},
      {401, ErrorClass::kUnauthenticated, Remedy::kNone},
      {402, ErrorClass::kUnknown, Remedy::kNone},
      {403, ErrorClass::kPermissionDenied, Remedy::kNone},
      {404, ErrorClass::kNotFound, Remedy::kNone},
      {405, ErrorClass::kUnknown, Remedy::kNone},
      {412, ErrorClass::kPreconditionFailed, Remedy::kNone},
      {418, ErrorClass::kUnknown, Remedy::kNone},
      {429, ErrorClass::kRateLimited, Remedy::kNone},
      {472, ErrorClass::kUnknown, Remedy::kNone},
      {499, ErrorClass::kUnknown, Remedy::kNone},
      {500, ErrorClass::kUnavailable, Remedy::kNone},
      {501, ErrorClass::kUnavailable, Remedy::kNone},
      {502, ErrorClass::kUnavailable, Remedy::kRepeat},
      {503, ErrorClass::kUnavailable, Remedy::kRepeat},
      {504, ErrorClass::kUnavailable, Remedy::kNone},
      {599, ErrorClass::kUnavailable, Remedy::kNone},
  }};
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.status);
    const AttemptOutcome outcome = ClassifyStatus(row.status, {}, std::nullopt);
    EXPECT_EQ(outcome.error_class, row.error_class);
    EXPECT_EQ(outcome.remedy, row.remedy);
  }
}

TEST(OutcomeTest, SealedIsBelievedFromAServerErrorOnly) {
  EXPECT_EQ(ClassifyStatus(503, kSealedText, {}).error_class, ErrorClass::kSealed);
  EXPECT_EQ(ClassifyStatus(503, kSealedText, {}).remedy, Remedy::kOtherAddress);
  EXPECT_EQ(ClassifyStatus(500, kSealedText, {}).error_class, ErrorClass::kSealed);
  EXPECT_EQ(ClassifyStatus(400, kSealedText, {}).error_class, ErrorClass::kInvalidRequest);
  EXPECT_EQ(ClassifyStatus(403, kSealedText, {}).error_class, ErrorClass::kPermissionDenied);
  EXPECT_EQ(ClassifyStatus(307, kSealedText, {}).error_class, ErrorClass::kUnavailable);
}

TEST(OutcomeTest, DecryptFailedIsBelievedFromA400Only) {
  EXPECT_EQ(ClassifyStatus(400, kTagText, {}).error_class, ErrorClass::kDecryptFailed);
  EXPECT_EQ(ClassifyStatus(500, kTagText, {}).error_class, ErrorClass::kUnavailable);
  EXPECT_EQ(ClassifyStatus(403, kTagText, {}).error_class, ErrorClass::kPermissionDenied);
}

TEST(OutcomeTest, RateLimitedIsRepeatedAfterTheTimeItNames) {
  const AttemptOutcome outcome = ClassifyStatus(429, {}, std::chrono::seconds(3));
  EXPECT_EQ(outcome.remedy, Remedy::kRepeat);
  EXPECT_EQ(outcome.wait, std::chrono::seconds(3));
}

TEST(OutcomeTest, ARefusedOrUntrustedConnectionWantsAnotherAddress) {
  struct Row {
    int code;
    ErrorClass error_class;
  };

  constexpr std::array<Row, 6> kRows{{{CURLE_COULDNT_CONNECT, ErrorClass::kConnectionFailed},
                                      {CURLE_OPERATION_TIMEDOUT, ErrorClass::kConnectionFailed},
                                      {CURLE_RECV_ERROR, ErrorClass::kConnectionFailed},
                                      {CURLE_SSL_CONNECT_ERROR, ErrorClass::kTlsFailed},
                                      {CURLE_PEER_FAILED_VERIFICATION, ErrorClass::kTlsFailed},
                                      {CURLE_COULDNT_RESOLVE_HOST, ErrorClass::kDnsFailed}}};
  for (const Row& row : kRows) {
    const AttemptOutcome outcome = ClassifyTransport(row.code, Progress::kConnecting);
    EXPECT_EQ(outcome.error_class, row.error_class) << row.code;
    EXPECT_EQ(outcome.remedy, Remedy::kOtherAddress) << row.code;
  }
}

TEST(OutcomeTest, AResetIsRepeatedOnlyBeforeAnAnswer) {
  for (const int code : {CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING}) {
    EXPECT_EQ(ClassifyTransport(code, Progress::kSent).remedy, Remedy::kRepeat) << code;
    EXPECT_EQ(ClassifyTransport(code, Progress::kAnswering).remedy, Remedy::kNone) << code;
  }
  EXPECT_EQ(ClassifyTransport(CURLE_PARTIAL_FILE, Progress::kAnswering).error_class,
            ErrorClass::kUnavailable);
}

TEST(ErrorClassTest, EveryClassHasALabelAndAnOutcomeOfItsOwn) {
  EXPECT_EQ(ToString(ErrorClass::kOk), "ok");
  EXPECT_EQ(ToString(ErrorClass::kDecryptFailed), "decrypt_failed");
  EXPECT_EQ(ToString(ErrorClass::kUndecodable), "unavailable");
  EXPECT_EQ(ToString(ErrorClass::kPreconditionFailed), "precondition_failed");
  EXPECT_EQ(ToString(ErrorClass::kTimeout), "timeout");
  EXPECT_EQ(ToOutcome(ErrorClass::kOk), ipc::OUTCOME_OK);
  EXPECT_EQ(ToOutcome(ErrorClass::kSealed), ipc::OUTCOME_SEALED);
  EXPECT_EQ(ToOutcome(ErrorClass::kUnknown), ipc::OUTCOME_UNKNOWN_STATUS);
  EXPECT_EQ(ToOutcome(ErrorClass::kUndecodable), ipc::OUTCOME_UNDECODABLE);
  EXPECT_EQ(ToOutcome(ErrorClass::kTimeout), ipc::OUTCOME_TIMEOUT);
}

}  // namespace
}  // namespace baokms::openbao
