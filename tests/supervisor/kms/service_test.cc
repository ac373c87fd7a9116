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
#include "tests/supervisor/kms/fakes.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class ServiceTest : public ::testing::Test {
 protected:
  struct Ended {
    GrpcCode code = GrpcCode::kOk;
    std::string text;
    v2::EncryptResponse encrypted;
    std::string plaintext;
  };

  KmsCallPtr StartEncrypt(const std::string& plaintext, BootTime deadline = BootTime::max()) {
    v2::EncryptRequest request;
    request.set_plaintext(plaintext);
    return world_.service.Encrypt(
        request, deadline, [this](const PublicError& error, const v2::EncryptResponse& response) {
          ended_.push_back({error.code, std::string(error.text), response, ""});
        });
  }

  KmsCallPtr StartDecrypt(v2::DecryptRequest request, BootTime deadline = BootTime::max()) {
    return world_.service.Decrypt(
        request, deadline,
        [this](const PublicError& error, std::span<const std::uint8_t> plaintext) {
          ended_.push_back({error.code, std::string(error.text), v2::EncryptResponse(),
                            std::string(plaintext.begin(), plaintext.end())});
        });
  }

  Ended Await() {
    EXPECT_TRUE(RunUntil(*world_.loop, [this] { return !ended_.empty(); }));
    return ended_.empty() ? Ended() : ended_.front();
  }

  Ended Encrypt(const std::string& plaintext) {
    ended_.clear();
    StartEncrypt(plaintext);
    return Await();
  }

  Ended Decrypt(const v2::DecryptRequest& request) {
    ended_.clear();
    StartDecrypt(request);
    return Await();
  }

  FakeWorld world_;
  std::vector<Ended> ended_;
};

// ---- Status

TEST_F(ServiceTest, HealthyStatusSaysSoAndAsksNobody) {
  for (int i = 0; i < 3; ++i) {
    const auto answer = world_.service.Status();
    EXPECT_EQ(answer.error.code, GrpcCode::kOk);
    EXPECT_EQ(answer.response.version(), "v2");
    EXPECT_EQ(answer.response.healthz(), "ok");
    EXPECT_EQ(answer.response.key_id(), GoldenKeyId());
  }
  EXPECT_THAT(world_.gateway.encrypts, IsEmpty());
  EXPECT_THAT(world_.gateway.decrypts, IsEmpty());
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
  EXPECT_THAT(world_.gateway.encrypts, IsEmpty());
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

// ---- Encrypt

TEST_F(ServiceTest, EncryptGivesWhatTwoWorkersAgreeOn) {
  const Ended ended = Encrypt("secret");
  EXPECT_EQ(ended.code, GrpcCode::kOk) << ended.text;
  EXPECT_EQ(ended.encrypted.key_id(), GoldenKeyId());
  EXPECT_EQ(ended.encrypted.ciphertext(), GoodCiphertext());
  const auto expected = GoldenAnnotations();
  ASSERT_EQ(ended.encrypted.annotations_size(), static_cast<int>(expected.size()));
  for (int i = 0; i < ended.encrypted.annotations_size(); ++i) {
    EXPECT_EQ(ended.encrypted.annotations(i).key(), expected[static_cast<std::size_t>(i)].key);
    EXPECT_EQ(ended.encrypted.annotations(i).value(), expected[static_cast<std::size_t>(i)].value);
  }
  ASSERT_THAT(world_.gateway.encrypts, SizeIs(1));
  EXPECT_EQ(world_.gateway.encrypts[0].table_generation(), 7U);
  EXPECT_EQ(world_.gateway.encrypts[0].plaintext(), "secret");
  ASSERT_THAT(world_.gateway.decrypts, SizeIs(1));
  const auto& [verification, choice] = world_.gateway.decrypts[0];
  EXPECT_EQ(choice.not_this, 0U);
  EXPECT_FALSE(verification.fresh_connection());
  EXPECT_EQ(verification.ciphertext(), GoodCiphertext());
  EXPECT_EQ(world_.metrics.self_verified, 0);
}

TEST_F(ServiceTest, EmptyPlaintextIsRefused) {
  const Ended ended = Encrypt("");
  EXPECT_EQ(ended.code, GrpcCode::kInvalidArgument);
  EXPECT_EQ(ended.text, "plaintext is required");
}

TEST_F(ServiceTest, PlaintextIsBoundedByItsCiphertextsSize) {
  const std::size_t most = contract::MaxPlaintextBytes(3);
  const Ended over = Encrypt(std::string(most + 1, 'x'));
  EXPECT_EQ(over.code, GrpcCode::kInvalidArgument);
  EXPECT_EQ(over.text, "kms request exceeds protocol limits");
  EXPECT_THAT(world_.gateway.encrypts, IsEmpty());
  world_.gateway.on_decrypt = [&](const auto&, const auto&) {
    return DecryptedTo(std::string(most, 'x'));
  };
  EXPECT_EQ(Encrypt(std::string(most, 'x')).code, GrpcCode::kOk);
}

struct BadAnswer {
  const char* name;
  void (*spoil)(ipc::EncryptAnswer&);
  const char* text;
};

constexpr const char* kFailed = "kms request failed";
constexpr BadAnswer kBadAnswers[] = {
    {"no ciphertext", [](auto& a) { a.clear_ciphertext(); }, kFailed},
    {"another version", [](auto& a) { a.set_ciphertext(GoodCiphertext(4)); }, kFailed},
    {"no prefix", [](auto& a) { a.set_ciphertext("v3:AAAA"); }, kFailed},
    {"no base64", [](auto& a) { a.set_ciphertext("vault:v3:????"); }, kFailed},
    {"too long", [](auto& a) { a.set_ciphertext("vault:v3:" + std::string(1016, 'A')); },
     "kms response exceeds protocol limits"},
    {"another key_id", [](auto& a) { a.mutable_key_id()->back() = 'x'; }, kFailed},
    {"no key_id", [](auto& a) { a.clear_key_id(); }, kFailed},
    {"no annotations", [](auto& a) { a.clear_annotations(); }, kFailed},
    {"an annotation more", [](auto& a) { a.add_annotations()->set_key("x.example"); }, kFailed},
    {"another value", [](auto& a) { a.mutable_annotations(0)->set_value("other"); }, kFailed},
    {"another key", [](auto& a) { a.mutable_annotations(0)->set_key("other.example"); }, kFailed},
};

TEST_F(ServiceTest, EncryptAnswersThatAreNotOursAreRefused) {
  for (const BadAnswer& bad : kBadAnswers) {
    SCOPED_TRACE(bad.name);
    world_.gateway.on_encrypt = [&](const auto&) {
      ipc::EncryptAnswer answer = GoodEncryptAnswer();
      bad.spoil(answer);
      return answer;
    };
    const Ended ended = Encrypt("secret");
    EXPECT_EQ(ended.code, GrpcCode::kInternal);
    EXPECT_EQ(ended.text, bad.text);
  }
  EXPECT_THAT(world_.gateway.decrypts, IsEmpty());
}

TEST_F(ServiceTest, EncryptErrorsAreTranslated) {
  world_.gateway.on_encrypt = [](const auto&) {
    return FailedWith<ipc::EncryptAnswer>(ipc::OUTCOME_SEALED);
  };
  const Ended ended = Encrypt("secret");
  EXPECT_EQ(ended.code, GrpcCode::kUnavailable);
  EXPECT_EQ(ended.text, "transit unavailable (temporary)");
}

TEST_F(ServiceTest, CiphertextOfSomethingElseIsNeverGiven) {
  for (const std::string& wrong : {std::string("secreT"), std::string("secre"), std::string()}) {
    world_.gateway.on_decrypt = [&](const auto&, const auto&) {
      return DecryptedTo(wrong);
    };
    const Ended ended = Encrypt("secret");
    EXPECT_EQ(ended.code, GrpcCode::kInternal);
    EXPECT_EQ(ended.text, "kms request failed");
    EXPECT_EQ(ended.encrypted.ByteSizeLong(), 0U);
  }
}

TEST_F(ServiceTest, VerdictOfTheOtherWorkerIsFinal) {
  for (const ipc::Outcome verdict : {ipc::OUTCOME_DECRYPT_FAILED, ipc::OUTCOME_INVALID_REQUEST,
                                     ipc::OUTCOME_ANNOTATIONS_MISMATCH}) {
    world_.gateway.decrypts.clear();
    world_.gateway.on_decrypt = [&](const auto&, const auto&) {
      return FailedWith<ipc::DecryptAnswer>(verdict);
    };
    EXPECT_EQ(Encrypt("secret").text, "kms request failed");
    EXPECT_THAT(world_.gateway.decrypts, SizeIs(1));
  }
}

TEST_F(ServiceTest, OnlyWorkerVerifiesItselfAndThatIsCounted) {
  world_.gateway.other_worker_ready = false;
  EXPECT_EQ(Encrypt("secret").code, GrpcCode::kOk);
  ASSERT_THAT(world_.gateway.decrypts, SizeIs(1));
  EXPECT_EQ(world_.gateway.decrypts[0].second.fallback, WorkerChoice::Fallback::kSameWorker);
  EXPECT_EQ(world_.metrics.self_verified, 1);
  EXPECT_THAT(world_.log.Everything(), HasSubstr("kms.encrypt_self_verified"));
}

TEST_F(ServiceTest, BrokenSecondWorkerDoesNotStopEncrypt) {
  world_.gateway.on_decrypt = [](const auto& request, const WorkerChoice& choice) {
    if (choice.not_this) {
      return FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_AUTH_FAILED);
    }
    EXPECT_TRUE(request.fresh_connection());
    return DecryptedTo("secret");
  };
  EXPECT_EQ(Encrypt("secret").code, GrpcCode::kOk);
  ASSERT_THAT(world_.gateway.decrypts, SizeIs(2));
  EXPECT_EQ(world_.gateway.decrypts[1].second.only, 0U);
  EXPECT_EQ(world_.metrics.self_verified, 1);
}

TEST_F(ServiceTest, StuckSecondWorkerLeavesTimeToAskTheFirst) {
  world_.gateway.on_decrypt = [](const auto&, const auto&) {
    return DecryptedTo("secret");
  };
  const BootTime before = BootNow();
  EXPECT_EQ(Encrypt("secret").code, GrpcCode::kOk);
  const BootTime until(world_.gateway.decrypts[0].first.deadline_ns());
  EXPECT_LE(until - before, milliseconds(1100));
  EXPECT_GE(until - before, milliseconds(900));
}

TEST_F(ServiceTest, FailureOfBothVerificationsIsAnOutage) {
  world_.gateway.on_decrypt = [](const auto&, const auto&) {
    return FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_CONNECTION_FAILED);
  };
  const Ended ended = Encrypt("secret");
  EXPECT_EQ(ended.code, GrpcCode::kUnavailable);
  EXPECT_EQ(ended.text, "transit unavailable (temporary)");
  EXPECT_THAT(world_.gateway.decrypts, SizeIs(2));
}

TEST_F(ServiceTest, ClientThatLeavesDuringVerificationStopsIt) {
  world_.gateway.on_decrypt = [](const auto&, const auto&) {
    return std::nullopt;
  };
  const KmsCallPtr call = StartEncrypt("secret");
  ASSERT_TRUE(RunUntil(*world_.loop, [&] { return world_.gateway.decrypt_count() == 1; }));
  call->Cancel();
  call->Cancel();
  ASSERT_THAT(ended_, SizeIs(1));
  EXPECT_EQ(ended_[0].code, GrpcCode::kCancelled);
  EXPECT_EQ(ended_[0].text, "request canceled");
  EXPECT_THAT(world_.gateway.cancelled, SizeIs(1));
}

TEST_F(ServiceTest, EncryptLimitIsExact) {
  FakeWorld world({.status = 1, .encrypt = 2, .decrypt = 1});
  world.gateway.on_encrypt = [](const auto&) {
    return std::nullopt;
  };
  std::vector<GrpcCode> codes;
  const auto start = [&] {
    v2::EncryptRequest request;
    request.set_plaintext("x");
    return world.service.Encrypt(
        request, BootTime::max(),
        [&](const PublicError& error, const v2::EncryptResponse&) { codes.push_back(error.code); });
  };
  const KmsCallPtr first = start();
  const KmsCallPtr second = start();
  EXPECT_THAT(codes, IsEmpty());
  EXPECT_EQ(start(), nullptr);
  EXPECT_THAT(codes, ElementsAre(GrpcCode::kResourceExhausted));
  first->Cancel();
  const KmsCallPtr third = start();
  EXPECT_NE(third, nullptr);
  world.service.SetLimits({.status = 1, .encrypt = 3, .decrypt = 1});
  EXPECT_NE(start(), nullptr);
  EXPECT_EQ(world.metrics.rejected, 1);
}

// ---- Decrypt

TEST_F(ServiceTest, DecryptAsksAWorkerForExactlyWhatCame) {
  const Ended ended = Decrypt(GoodDecryptRequest());
  EXPECT_EQ(ended.code, GrpcCode::kOk);
  EXPECT_EQ(ended.plaintext, "secret");
  ASSERT_THAT(world_.gateway.decrypts, SizeIs(1));
  const ipc::DecryptRequest& asked = world_.gateway.decrypts[0].first;
  const v2::DecryptRequest good = GoodDecryptRequest();
  EXPECT_EQ(asked.ciphertext(), good.ciphertext());
  EXPECT_EQ(asked.key_id(), good.key_id());
  ASSERT_EQ(asked.annotations_size(), good.annotations_size());
  for (int i = 0; i < asked.annotations_size(); ++i) {
    EXPECT_EQ(asked.annotations(i).key(), good.annotations(i).key());
    EXPECT_EQ(asked.annotations(i).value(), good.annotations(i).value());
  }
}

struct BadRequest {
  const char* name;
  void (*spoil)(v2::DecryptRequest&);
  const char* text;
};

constexpr const char* kLimits = "kms request exceeds protocol limits";
constexpr BadRequest kBadRequests[] = {
    {"no ciphertext", [](auto& r) { r.clear_ciphertext(); }, "ciphertext is required"},
    {"no ciphertext before everything else",
     [](auto& r) {
       r.clear_ciphertext();
       r.set_key_id(std::string(1024, 'x'));
     },
     "ciphertext is required"},
    {"long ciphertext", [](auto& r) { r.set_ciphertext(std::string(1024, 'x')); }, kLimits},
    {"long key_id", [](auto& r) { r.set_key_id(std::string(1024, 'x')); }, kLimits},
    {"large annotations before malformed key_id",
     [](auto& r) {
       r.set_key_id("x");
       r.mutable_annotations(0)->set_value(std::string(32768, 'x'));
     },
     kLimits},
    {"annotation value not UTF-8", [](auto& r) { r.mutable_annotations(0)->set_value("\xff"); },
     "annotations invalid"},
    {"annotation key not UTF-8", [](auto& r) { r.mutable_annotations(0)->set_key("\xc0\x80.x"); },
     "annotations invalid"},
    {"no key_id", [](auto& r) { r.clear_key_id(); }, "key_id malformed"},
    {"longest key_id that is no limit", [](auto& r) { r.set_key_id(std::string(1023, 'x')); },
     "key_id malformed"},
    {"key_id of another generation", [](auto& r) { r.mutable_key_id()->at(3) = '1'; },
     "key_id malformed"},
    {"key_id cut short", [](auto& r) { r.mutable_key_id()->pop_back(); }, "key_id malformed"},
};

TEST_F(ServiceTest, MalformedDecryptsAreRefusedInTheDocumentedOrder) {
  for (const BadRequest& bad : kBadRequests) {
    SCOPED_TRACE(bad.name);
    v2::DecryptRequest request = GoodDecryptRequest();
    bad.spoil(request);
    const Ended ended = Decrypt(request);
    EXPECT_EQ(ended.code, GrpcCode::kInvalidArgument);
    EXPECT_EQ(ended.text, bad.text);
  }
  EXPECT_THAT(world_.gateway.decrypts, IsEmpty());
  EXPECT_EQ(world_.status.discoveries, 0);
}

TEST_F(ServiceTest, EveryTruncationOfAKeyIdIsRefused) {
  const std::string whole = GoldenKeyId();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    v2::DecryptRequest request = GoodDecryptRequest();
    request.set_key_id(whole.substr(0, length));
    EXPECT_EQ(Decrypt(request).text, "key_id malformed") << length;
  }
}

std::string OtherKeyId() {
  return std::string(contract::BindKey(GoldenIdentity(), {4, 1715803300})->key_id.text());
}

TEST_F(ServiceTest, UnknownKeyIdIsLookedUpOnceThenNotFound) {
  v2::DecryptRequest request = GoodDecryptRequest();
  request.set_key_id(OtherKeyId());
  request.clear_annotations();  // are not looked at before the key is known
  const Ended ended = Decrypt(request);
  EXPECT_EQ(ended.code, GrpcCode::kNotFound);
  EXPECT_EQ(ended.text, "key_id unknown");
  EXPECT_EQ(world_.status.discoveries, 1);
  EXPECT_EQ(world_.status.last_discovered, OtherKeyId());
  EXPECT_THAT(world_.gateway.decrypts, IsEmpty());
}

TEST_F(ServiceTest, DiscoveredKeyIsUsed) {
  v2::DecryptRequest request = GoodDecryptRequest();
  request.set_key_id(OtherKeyId());
  world_.status.on_discover = [&] {
    StatusView view = FakeStatus::Healthy();
    view.decryptable[OtherKeyId()] = {4, 1715803300};
    world_.status.Set(view);
    return DiscoveryOutcome::kKnown;
  };
  EXPECT_EQ(Decrypt(request).plaintext, "secret");
}

TEST_F(ServiceTest, DiscoveryThatBringsNothingIsNotRepeated) {
  v2::DecryptRequest request = GoodDecryptRequest();
  request.set_key_id(OtherKeyId());
  world_.status.on_discover = [] {
    return DiscoveryOutcome::kKnown;
  };  // but the view lacks it
  EXPECT_EQ(Decrypt(request).code, GrpcCode::kNotFound);
  EXPECT_EQ(world_.status.discoveries, 1);
}

TEST_F(ServiceTest, FailedDiscoveryIsNeverCalledUnknown) {
  v2::DecryptRequest request = GoodDecryptRequest();
  request.set_key_id(OtherKeyId());
  world_.status.on_discover = [] {
    return DiscoveryOutcome::kUnavailable;
  };
  const Ended ended = Decrypt(request);
  EXPECT_EQ(ended.code, GrpcCode::kUnavailable);
  EXPECT_EQ(ended.text, "key metadata refresh failed (temporary)");
}

TEST_F(ServiceTest, EmptyPlaintextFromAWorkerIsNoAnswer) {
  world_.gateway.on_decrypt = [](const auto&, const auto&) {
    return DecryptedTo("");
  };
  EXPECT_EQ(Decrypt(GoodDecryptRequest()).code, GrpcCode::kInternal);
}

TEST_F(ServiceTest, DeadlineIsTheEarlierOfBoth) {
  const BootTime before = BootNow();
  Decrypt(GoodDecryptRequest());
  const BootTime configured(world_.gateway.decrypts.at(0).first.deadline_ns());
  EXPECT_GE(configured, before + std::chrono::seconds(2));
  EXPECT_LE(configured, BootNow() + std::chrono::seconds(2));

  ended_.clear();
  const BootTime mine = BootNow() + milliseconds(300);
  StartDecrypt(GoodDecryptRequest(), mine);
  Await();
  EXPECT_EQ(BootTime(world_.gateway.decrypts.at(1).first.deadline_ns()), mine);
}

TEST_F(ServiceTest, DeadlineWinsOverWhatItBroughtAbout) {
  world_.gateway.on_decrypt = [](const auto&, const auto&) {
    return FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_CONNECTION_FAILED);
  };
  StartDecrypt(GoodDecryptRequest(), BootNow() - milliseconds(1));
  const Ended ended = Await();
  EXPECT_EQ(ended.code, GrpcCode::kDeadlineExceeded);
  EXPECT_EQ(ended.text, "request timed out (temporary)");
}

// ---- Everything else

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
