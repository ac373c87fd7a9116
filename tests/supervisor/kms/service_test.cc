#include "supervisor/kms/service.h"

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/contract/encoding.h"
#include "common/contract/transit_ciphertext.h"
#include "proto/ipc.pb.h"
#include "proto/kms_v2.pb.h"
#include "tests/supervisor/kms/service_fixture.h"

namespace baokms::supervisor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

TEST_F(ServiceTest, HealthyStatusSaysSoAndAsksNobody) {
  for (int i = 0; i < 3; ++i) {
    const auto answer = world_.service.Status();
    EXPECT_EQ(answer.error.code, GrpcCode::kOk);
    EXPECT_EQ(answer.response.version(), "v2");
    EXPECT_EQ(answer.response.healthz(), "ok");
    EXPECT_EQ(answer.response.key_id(), GoldenKeyId());
  }
  EXPECT_THAT(world_.workers.encrypts, IsEmpty());
  EXPECT_THAT(world_.workers.decrypts, IsEmpty());
  EXPECT_EQ(world_.status.discoveries, 0);
}

struct BadView {
  const char* name;
  void (*spoil)(StatusView&);
  const char* encrypt_text;
};

constexpr BadView kBadViews[] = {
    {"nothing found yet", [](StatusView& v) { v.health = StatusView::Health::kUnavailable; },
     "status unavailable (temporary)"},
    {"unhealthy", [](StatusView& v) { v.health = StatusView::Health::kUnhealthy; },
     "status unhealthy (temporary)"},
    {"stale", [](StatusView& v) { v.metadata_at -= v.max_staleness + BootTime(1); },
     "status unhealthy (temporary)"},
    {"stale by the wall clock", [](StatusView& v) { v.metadata_at_unix -= 121; },
     "status unhealthy (temporary)"},
    {"no active key", [](StatusView& v) { v.active_key_id.clear(); },
     "active key unavailable (temporary)"},
    {"active key not among the decryptable", [](StatusView& v) { v.decryptable.clear(); },
     "status key_id mismatch (temporary)"},
    {"active version is another one", [](StatusView& v) { v.active_version = 4; },
     "status key_id mismatch (temporary)"},
    {"key_id derives from another creation time",
     [](StatusView& v) { v.decryptable.begin()->second.created_unix += 1; },
     "status key_id mismatch (temporary)"},
};

TEST_F(ServiceTest, UnhealthyStatusIsAnAnswerWithoutKeyId) {
  for (const BadView& bad : kBadViews) {
    SCOPED_TRACE(bad.name);
    StatusView view = FakeStatus::Healthy();
    bad.spoil(view);
    world_.status.Set(view);
    const auto answer = world_.service.Status();
    EXPECT_EQ(answer.error.code, GrpcCode::kOk);
    EXPECT_EQ(answer.response.version(), "v2");
    EXPECT_EQ(answer.response.healthz(), "unhealthy");
    EXPECT_EQ(answer.response.key_id(), "");
  }
}

TEST_F(ServiceTest, EncryptNeedsAHealthyStatus) {
  for (const BadView& bad : kBadViews) {
    SCOPED_TRACE(bad.name);
    StatusView view = FakeStatus::Healthy();
    bad.spoil(view);
    world_.status.Set(view);
    const Ended ended = Encrypt("x");
    EXPECT_EQ(ended.code, GrpcCode::kFailedPrecondition);
    EXPECT_EQ(ended.text, bad.encrypt_text);
  }
  EXPECT_THAT(world_.workers.encrypts, IsEmpty());
}

TEST_F(ServiceTest, DecryptNeedsNoHealthyStatus) {
  StatusView view = FakeStatus::Healthy();
  view.health = StatusView::Health::kUnhealthy;
  view.active_key_id.clear();
  world_.status.Set(view);
  EXPECT_EQ(Decrypt(GoodDecryptRequest()).plaintext, "secret");
}

TEST_F(ServiceTest, StatusHasALimitOfItsOwn) {
  FakeWorld world({.status = 2, .encrypt = 1, .decrypt = 1});
  int depth = 0;
  std::vector<GrpcCode> codes;
  world.status.on_view = [&] {  // a Status that comes while another one is being answered
    if (++depth <= 2) {
      codes.push_back(world.service.Status().error.code);
    }
  };
  EXPECT_EQ(world.service.Status().error.code, GrpcCode::kOk);
  EXPECT_THAT(codes, ElementsAre(GrpcCode::kResourceExhausted, GrpcCode::kOk));
  EXPECT_EQ(world.metrics.rejected, 1);
}

TEST_F(ServiceTest, ExceptionsBecomeInternalErrors) {
  world_.status.on_view = [] {
    throw std::runtime_error("secret detail");
  };
  EXPECT_EQ(world_.service.Status().error.text, "kms request failed");
  EXPECT_EQ(Encrypt("x").text, "kms request failed");
  EXPECT_EQ(Decrypt(GoodDecryptRequest()).text, "kms request failed");
  EXPECT_EQ(world_.metrics.panics, 3);
  world_.status.on_view = nullptr;
  EXPECT_EQ(Decrypt(GoodDecryptRequest()).code, GrpcCode::kOk);  // its place is free again
  EXPECT_THAT(world_.log.Everything(), Not(HasSubstr("secret detail")));
}

TEST_F(ServiceTest, CountsAndLogsEveryRequestOnce) {
  (void)world_.service.Status();
  Encrypt("secret");
  Encrypt("");
  EXPECT_EQ(world_.metrics.started, 3);
  EXPECT_THAT(world_.metrics.Finished(),
              ElementsAre(std::tuple(KmsMethod::kStatus, "ok", ""),
                          std::tuple(KmsMethod::kEncrypt, "ok", ""),
                          std::tuple(KmsMethod::kEncrypt, "invalid_argument", "unknown")));
  const std::vector<LogRecord> records = world_.log.Records();
  ASSERT_THAT(records, SizeIs(3));
  EXPECT_EQ(records[0].event, "kms.request");
  EXPECT_EQ(records[0].level, LogLevel::kDebug);
  EXPECT_EQ(FieldOf(records[0], "operation"), "kms.status");
  EXPECT_EQ(FieldOf(records[0], "healthz"), "ok");
  EXPECT_EQ(FieldOf(records[1], "key_id_hash"), contract::HashText(GoldenKeyId()));
  EXPECT_EQ(records[2].level, LogLevel::kWarn);
  EXPECT_EQ(FieldOf(records[2], "error_class"), "unknown");
}

TEST_F(ServiceTest, HashesTheUidOfARequestInIncidentModeOnly) {
  Decrypt(GoodDecryptRequest());
  world_.log.correlates = true;
  Decrypt(GoodDecryptRequest());
  Encrypt("");  // has no uid
  const std::vector<LogRecord> records = world_.log.Records();
  ASSERT_THAT(records, SizeIs(3));
  EXPECT_THAT(records[0].correlation, IsEmpty());
  EXPECT_THAT(records[1].correlation,
              ElementsAre(testing::Pair("request_uid_hash",
                                        LogValue(contract::HashText("safe-request-uid")))));
  EXPECT_THAT(records[2].correlation, IsEmpty());
}

TEST_F(ServiceTest, LogsNothingSecretAndNoRawIds) {
  Encrypt("secret");
  Decrypt(GoodDecryptRequest());
  v2::DecryptRequest request = GoodDecryptRequest();
  request.set_key_id(OtherKeyId());
  Decrypt(request);
  const std::string everything = world_.log.Everything();
  for (const std::string& hidden :
       {std::string("secret"), GoldenKeyId(), OtherKeyId(), GoodCiphertext(),
        std::string("safe-request-uid"), std::string("openbao-transit")}) {
    EXPECT_THAT(everything, Not(HasSubstr(hidden)));
  }
}

}  // namespace
}  // namespace baokms::supervisor
