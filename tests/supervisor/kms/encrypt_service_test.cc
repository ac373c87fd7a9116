#include <algorithm>
#include <chrono>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/contract/encoding.h"
#include "common/contract/transit_ciphertext.h"
#include "proto/ipc.pb.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/kms/service.h"
#include "tests/supervisor/kms/service_fixture.h"

namespace baokms::supervisor {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

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
  ASSERT_THAT(world_.workers.encrypts, SizeIs(1));
  EXPECT_EQ(world_.workers.encrypts[0].table_generation(), 7U);
  EXPECT_EQ(world_.workers.encrypts[0].plaintext(), "secret");
  ASSERT_THAT(world_.workers.decrypts, SizeIs(1));
  const auto& [verification, choice] = world_.workers.decrypts[0];
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
  EXPECT_THAT(world_.workers.encrypts, IsEmpty());
  world_.workers.on_decrypt = [&](const auto&, const auto&) {
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
    world_.workers.on_encrypt = [&](const auto&) {
      ipc::EncryptAnswer answer = GoodEncryptAnswer();
      bad.spoil(answer);
      return answer;
    };
    const Ended ended = Encrypt("secret");
    EXPECT_EQ(ended.code, GrpcCode::kInternal);
    EXPECT_EQ(ended.text, bad.text);
  }
  EXPECT_THAT(world_.workers.decrypts, IsEmpty());
  EXPECT_EQ(world_.metrics.encrypt_mismatches, 1 + static_cast<int>(std::size(kBadAnswers)))
      << "the first call began again";
}

TEST_F(ServiceTest, WorkerWithABadAnswerIsReplacedAndTheCallBeginsAgain) {
  world_.workers.on_encrypt = [this](const auto&) {
    ipc::EncryptAnswer answer = GoodEncryptAnswer();
    if (world_.workers.replaced.empty()) {
      answer.clear_key_id();
    }
    return answer;
  };
  const Ended ended = Encrypt("secret");
  EXPECT_EQ(ended.code, GrpcCode::kOk) << ended.text;
  EXPECT_EQ(ended.encrypted.annotations_size(), static_cast<int>(GoldenAnnotations().size()));
  EXPECT_THAT(world_.workers.replaced, ElementsAre(0U));
  EXPECT_EQ(world_.metrics.encrypt_mismatches, 1);
  const std::vector<LogRecord> records = world_.log.Records();
  const auto record = std::ranges::find(records, "kms.encrypt_mismatch", &LogRecord::event);
  ASSERT_NE(record, records.end());
  EXPECT_EQ(record->level, LogLevel::kError);
}

TEST_F(ServiceTest, WorkersThatContradictEachOtherAreReplacedAndTheCallBeginsAgain) {
  world_.workers.on_decrypt = [this](const auto&, const auto&) {
    return world_.workers.replaced.empty()
               ? FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_DECRYPT_FAILED)
               : DecryptedTo("secret");
  };
  EXPECT_EQ(Encrypt("secret").code, GrpcCode::kOk);
  EXPECT_THAT(world_.workers.replaced, ElementsAre(0U, 1U));
  EXPECT_THAT(world_.workers.encrypts, SizeIs(2));
  EXPECT_EQ(world_.metrics.encrypt_mismatches, 1);
}

TEST_F(ServiceTest, EncryptErrorsAreTranslated) {
  world_.workers.on_encrypt = [](const auto&) {
    return FailedWith<ipc::EncryptAnswer>(ipc::OUTCOME_SEALED);
  };
  const Ended ended = Encrypt("secret");
  EXPECT_EQ(ended.code, GrpcCode::kUnavailable);
  EXPECT_EQ(ended.text, "transit unavailable (temporary)");
}

TEST_F(ServiceTest, CiphertextOfSomethingElseIsNeverGiven) {
  for (const std::string& wrong : {std::string("secreT"), std::string("secre"), std::string()}) {
    world_.workers.on_decrypt = [&](const auto&, const auto&) {
      return DecryptedTo(wrong);
    };
    const Ended ended = Encrypt("secret");
    EXPECT_EQ(ended.code, GrpcCode::kInternal);
    EXPECT_EQ(ended.text, "kms request failed");
    EXPECT_EQ(ended.encrypted.ByteSizeLong(), 0U);
  }
}

// A second pair that contradicts each other is not replaced so soon: the workers may not be the
// cause.
TEST_F(ServiceTest, CallsThatAreContradictedAreRefusedWithoutReplacingWorkersAllTheTime) {
  std::size_t asked = 2;
  for (const ipc::Outcome verdict : {ipc::OUTCOME_DECRYPT_FAILED, ipc::OUTCOME_INVALID_REQUEST,
                                     ipc::OUTCOME_ANNOTATIONS_MISMATCH}) {
    world_.workers.decrypts.clear();
    world_.workers.on_decrypt = [&](const auto&, const auto&) {
      return FailedWith<ipc::DecryptAnswer>(verdict);
    };
    EXPECT_EQ(Encrypt("secret").text, "kms request failed");
    EXPECT_THAT(world_.workers.decrypts, SizeIs(std::exchange(asked, 1)));
  }
  EXPECT_THAT(world_.workers.replaced, SizeIs(2));
}

TEST_F(ServiceTest, OnlyWorkerVerifiesItselfAndThatIsCounted) {
  world_.workers.other_worker_ready = false;
  EXPECT_EQ(Encrypt("secret").code, GrpcCode::kOk);
  ASSERT_THAT(world_.workers.decrypts, SizeIs(1));
  EXPECT_EQ(world_.workers.decrypts[0].second.fallback, WorkerChoice::Fallback::kSameWorker);
  EXPECT_EQ(world_.metrics.self_verified, 1);
  EXPECT_THAT(world_.log.Everything(), HasSubstr("kms.encrypt_self_verified"));
}

TEST_F(ServiceTest, BrokenSecondWorkerDoesNotStopEncrypt) {
  world_.workers.on_decrypt = [](const auto& request, const WorkerChoice& choice) {
    if (choice.not_this) {
      return FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_AUTH_FAILED);
    }
    EXPECT_TRUE(request.fresh_connection());
    return DecryptedTo("secret");
  };
  EXPECT_EQ(Encrypt("secret").code, GrpcCode::kOk);
  ASSERT_THAT(world_.workers.decrypts, SizeIs(2));
  EXPECT_EQ(world_.workers.decrypts[1].second.only, 0U);
  EXPECT_EQ(world_.metrics.self_verified, 1);
}

TEST_F(ServiceTest, VerificationLeavesTimeForASecondTry) {
  world_.workers.on_decrypt = [](const auto&, const auto&) {
    return DecryptedTo("secret");
  };
  const BootTime before = BootNow();
  EXPECT_EQ(Encrypt("secret").code, GrpcCode::kOk);
  const BootTime until(world_.workers.decrypts[0].first.deadline_ns());
  EXPECT_LE(until - before, milliseconds(1100));
  EXPECT_GE(until - before, milliseconds(900));
}

// Whoever made the ciphertext can arrange each of these: by answering late, by calling OpenBao more
// often than it allows.
TEST_F(ServiceTest, NobodyVerifiesItselfBecauseTheOtherOneFailed) {
  for (const ipc::Outcome outcome :
       {ipc::OUTCOME_TIMEOUT, ipc::OUTCOME_CONNECTION_FAILED, ipc::OUTCOME_RATE_LIMITED,
        ipc::OUTCOME_SEALED, ipc::OUTCOME_UNAVAILABLE, ipc::OUTCOME_OVERLOADED,
        ipc::OUTCOME_LOGIN_TIMEOUT, ipc::OUTCOME_NOT_FOUND, ipc::OUTCOME_KEY_ID_UNKNOWN,
        ipc::OUTCOME_PERMISSION_DENIED, ipc::OUTCOME_INTERNAL}) {
    world_.workers.decrypts.clear();
    world_.workers.on_decrypt = [outcome](const auto&, const WorkerChoice& choice) {
      EXPECT_FALSE(choice.only);
      EXPECT_EQ(choice.not_this, 0U);
      return FailedWith<ipc::DecryptAnswer>(outcome);
    };
    const Ended ended = Encrypt("secret");
    EXPECT_THAT(ended.text, HasSubstr("(temporary)"));
    EXPECT_EQ(ended.encrypted.ByteSizeLong(), 0U);
    EXPECT_THAT(world_.workers.decrypts, SizeIs(2));
  }
  EXPECT_EQ(world_.metrics.self_verified, 0);
}

TEST_F(ServiceTest, FailureOfBothVerificationsIsAnOutage) {
  world_.workers.on_decrypt = [](const auto&, const auto&) {
    return FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_CONNECTION_FAILED);
  };
  const Ended ended = Encrypt("secret");
  EXPECT_EQ(ended.code, GrpcCode::kUnavailable);
  EXPECT_EQ(ended.text, "transit unavailable (temporary)");
  EXPECT_THAT(world_.workers.decrypts, SizeIs(2));
}

TEST_F(ServiceTest, SuccessorOfALostWorkerVerifies) {
  world_.workers.other_worker_lost = true;
  world_.workers.on_decrypt = [](const auto&, const WorkerChoice& choice) {
    return choice.fallback == WorkerChoice::Fallback::kSameWorker
               ? FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_TIMEOUT)
               : DecryptedTo("secret");
  };
  EXPECT_EQ(Encrypt("secret").code, GrpcCode::kOk);
  ASSERT_THAT(world_.workers.decrypts, SizeIs(2));
  EXPECT_EQ(world_.workers.decrypts[1].second.not_this, 0U);
  EXPECT_EQ(world_.workers.decrypts[1].second.fallback, WorkerChoice::Fallback::kFail);
  EXPECT_EQ(world_.metrics.self_verified, 0);
}

TEST_F(ServiceTest, KillingTheVerifierGainsNothing) {
  world_.workers.other_worker_lost = true;
  world_.workers.on_decrypt = [](const auto&, const WorkerChoice& choice) {
    EXPECT_FALSE(choice.only.has_value()) << "nobody verifies itself";
    return FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_TIMEOUT);
  };
  const BootTime before = BootNow();
  const Ended ended = Encrypt("secret");
  EXPECT_EQ(ended.code, GrpcCode::kUnavailable);
  EXPECT_EQ(ended.text, "transit unavailable (temporary)");
  ASSERT_THAT(world_.workers.decrypts, SizeIs(2));
  // Late, but early enough for an answer.
  const BootTime until(world_.workers.decrypts[1].first.deadline_ns());
  EXPECT_GE(until - before, milliseconds(1900));
  EXPECT_LT(until - before, milliseconds(2000));
}

// Without a token a worker may be passed over, but not the successor of one that was killed.
TEST_F(ServiceTest, KillingTheVerifierGainsNothingBeforeItsSuccessorHasAToken) {
  world_.workers.other_worker_lost = true;
  world_.workers.on_decrypt = [](const auto&, const WorkerChoice& choice) {
    EXPECT_FALSE(choice.only.has_value()) << "nobody verifies itself";
    return FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_AUTH_FAILED);
  };
  EXPECT_EQ(Encrypt("secret").code, GrpcCode::kUnauthenticated);
  EXPECT_THAT(world_.workers.decrypts, SizeIs(2));
  EXPECT_EQ(world_.metrics.self_verified, 0);
}

TEST_F(ServiceTest, ClientThatLeavesDuringVerificationStopsIt) {
  world_.workers.on_decrypt = [](const auto&, const auto&) {
    return std::nullopt;
  };
  const KmsCallPtr call = StartEncrypt("secret");
  ASSERT_TRUE(RunUntil(*world_.loop, [&] { return world_.workers.decrypt_count() == 1; }));
  call->Cancel();
  call->Cancel();
  ASSERT_THAT(ended_, SizeIs(1));
  EXPECT_EQ(ended_[0].code, GrpcCode::kCancelled);
  EXPECT_EQ(ended_[0].text, "request canceled");
  EXPECT_THAT(world_.workers.cancelled, SizeIs(1));
}

TEST_F(ServiceTest, EncryptLimitIsExact) {
  FakeWorld world({.status = 1, .encrypt = 2, .decrypt = 1});
  world.workers.on_encrypt = [](const auto&) {
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

}  // namespace
}  // namespace baokms::supervisor
