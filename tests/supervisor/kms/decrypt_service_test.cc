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
#include "supervisor/kms/service.h"
#include "tests/supervisor/kms/service_fixture.h"

namespace baokms::supervisor {
namespace {

using std::chrono::milliseconds;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(ServiceTest, DecryptAsksAWorkerForExactlyWhatCame) {
  const Ended ended = Decrypt(GoodDecryptRequest());
  EXPECT_EQ(ended.code, GrpcCode::kOk);
  EXPECT_EQ(ended.plaintext, "secret");
  ASSERT_THAT(world_.workers.decrypts, SizeIs(1));
  const ipc::DecryptRequest& asked = world_.workers.decrypts[0].first;
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
  EXPECT_THAT(world_.workers.decrypts, IsEmpty());
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

TEST_F(ServiceTest, UnknownKeyIdIsLookedUpOnceThenNotFound) {
  v2::DecryptRequest request = GoodDecryptRequest();
  request.set_key_id(OtherKeyId());
  request.clear_annotations();  // are not looked at before the key is known
  const Ended ended = Decrypt(request);
  EXPECT_EQ(ended.code, GrpcCode::kNotFound);
  EXPECT_EQ(ended.text, "key_id unknown");
  EXPECT_EQ(world_.status.discoveries, 1);
  EXPECT_EQ(world_.status.last_discovered, OtherKeyId());
  EXPECT_THAT(world_.workers.decrypts, IsEmpty());
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
  world_.workers.on_decrypt = [](const auto&, const auto&) {
    return DecryptedTo("");
  };
  EXPECT_EQ(Decrypt(GoodDecryptRequest()).code, GrpcCode::kInternal);
}

TEST_F(ServiceTest, DeadlineIsTheEarlierOfBoth) {
  const BootTime before = BootNow();
  Decrypt(GoodDecryptRequest());
  const BootTime configured(world_.workers.decrypts.at(0).first.deadline_ns());
  EXPECT_GE(configured, before + std::chrono::seconds(2));
  EXPECT_LE(configured, BootNow() + std::chrono::seconds(2));

  ended_.clear();
  const BootTime mine = BootNow() + milliseconds(300);
  StartDecrypt(GoodDecryptRequest(), mine);
  Await();
  EXPECT_EQ(BootTime(world_.workers.decrypts.at(1).first.deadline_ns()), mine);
}

TEST_F(ServiceTest, DeadlineWinsOverWhatItBroughtAbout) {
  world_.workers.on_decrypt = [](const auto&, const auto&) {
    return FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_CONNECTION_FAILED);
  };
  StartDecrypt(GoodDecryptRequest(), BootNow() - milliseconds(1));
  const Ended ended = Await();
  EXPECT_EQ(ended.code, GrpcCode::kDeadlineExceeded);
  EXPECT_EQ(ended.text, "request timed out (temporary)");
}

}  // namespace
}  // namespace baokms::supervisor
