// What one worker says about a Decrypt does not count alone, unless it is temporary.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/ipc.pb.h"
#include "supervisor/kms/decrypt_checks.h"
#include "supervisor/kms/opinion.h"
#include "tests/supervisor/kms/fakes.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {
namespace {

using Check = DecryptChecks::Check;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr const char* kUnavailable = "transit unavailable (temporary)";
constexpr const char* kRefused = "transit decrypt failed";
constexpr const char* kForeign = "annotations do not match key snapshot";

// What a worker says, one character each.
ipc::DecryptAnswer Says(char what) {
  switch (what) {
    case 'P':
      return DecryptedTo("secret");
    case 'Q':
      return DecryptedTo("secreT");
    case 'R':
      return FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_DECRYPT_FAILED);
    case 'S':
      return FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_ANNOTATIONS_MISMATCH);
    default:
      return FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_CONNECTION_FAILED);
  }
}

constexpr std::string_view kEverything = "PQRST";

// What a client sees if this is what counts.
std::string SeenAs(char what) {
  switch (what) {
    case 'P':
      return "secret";
    case 'Q':
      return "secreT";
    case 'R':
      return kRefused;
    case 'S':
      return kForeign;
    default:
      return kUnavailable;
  }
}

// One Decrypt in a world of its own, in which the n-th question is answered with the n-th
// character.
struct Outcome {
  std::string seen;
  std::size_t asked = 0;
  std::size_t replaced = 0;
  int mismatches = 0;
  int unconfirmed = 0;
};

Outcome Decrypt(VerifyDecrypt mode, const std::string& script, Slot slots = 2) {
  FakeWorld world({}, std::chrono::seconds(2), mode, slots);
  world.workers.on_decrypt = [&](const auto&, const WorkerChoice&) {
    const std::size_t number = world.workers.decrypts.size();
    return Says(number <= script.size() ? script[number - 1] : 'T');
  };
  v2::DecryptRequest request = GoodDecryptRequest();
  Outcome outcome;
  const KmsCallPtr call = world.service.Decrypt(
      request, BootTime::max(),
      [&](const PublicError& error, std::span<const std::uint8_t> plaintext) {
        outcome.seen = error.code == GrpcCode::kOk ? std::string(plaintext.begin(), plaintext.end())
                                                   : std::string(error.text);
      });
  EXPECT_TRUE(RunUntil(*world.loop, [&] { return !outcome.seen.empty(); }));
  outcome.asked = world.workers.decrypts.size();
  outcome.replaced = world.workers.replaced.size();
  outcome.mismatches = world.metrics.mismatches;
  outcome.unconfirmed = world.metrics.unconfirmed;
  return outcome;
}

struct Case {
  VerifyDecrypt mode;
  const char* answers;
  std::string seen;
  std::size_t replaced = 0;
};

TEST(DecryptOpinionTest, EveryCombinationThatMatters) {
  constexpr auto kOff = VerifyDecrypt::kOff;
  constexpr auto kAlways = VerifyDecrypt::kAlways;
  const std::vector<Case> cases = {
      {kOff, "P", "secret"},
      {kOff, "T", kUnavailable},
      {kOff, "RR", kRefused},
      {kOff, "SS", kForeign},
      {kOff, "RS", kUnavailable},
      {kOff, "RT", kUnavailable},
      {kOff, "RPP", "secret", 2},
      {kOff, "RPR", kRefused, 2},
      {kOff, "RPQ", kUnavailable, 2},
      {kOff, "RPS", kUnavailable, 2},
      {kOff, "RPT", kUnavailable, 2},
      {kAlways, "PP", "secret"},
      {kAlways, "T", kUnavailable},
      {kAlways, "PT", kUnavailable},
      {kAlways, "PQP", "secret", 2},
      {kAlways, "PQQ", "secreT", 2},
      {kAlways, "PQR", kUnavailable, 2},
      {kAlways, "PQT", kUnavailable, 2},
      {kAlways, "PRP", "secret", 2},
      {kAlways, "PRR", kRefused, 2},
      {kAlways, "RR", kRefused},
      {kAlways, "RPP", "secret", 2},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.answers);
    const Outcome outcome = Decrypt(each.mode, each.answers);
    EXPECT_EQ(outcome.seen, each.seen);
    EXPECT_EQ(outcome.asked, std::strlen(each.answers));
    EXPECT_EQ(outcome.replaced, each.replaced);
    EXPECT_EQ(outcome.mismatches, each.replaced > 0 ? 1 : 0);
    EXPECT_EQ(outcome.unconfirmed, 0);
  }
}

TEST(DecryptOpinionTest, NothingThatLastsIsGivenUnlessTwoSayIt) {
  for (const VerifyDecrypt mode : {VerifyDecrypt::kOff, VerifyDecrypt::kAlways}) {
    for (const char first : kEverything) {
      for (const char second : kEverything) {
        for (const char third : kEverything) {
          const std::string script{first, second, third};
          SCOPED_TRACE(script);
          const Outcome outcome = Decrypt(mode, script);
          if (outcome.seen == kUnavailable) {
            continue;
          }
          std::size_t agree = 0;
          for (const char said : script.substr(0, outcome.asked)) {
            agree += SeenAs(said) == outcome.seen ? 1U : 0U;
          }
          const bool alone_counts = mode == VerifyDecrypt::kOff && (first == 'P' || first == 'Q');
          EXPECT_EQ(agree, alone_counts ? 1U : 2U);
        }
      }
    }
  }
}

TEST(DecryptOpinionTest, TheWordOfTheOnlyWorkerCounts) {
  for (const VerifyDecrypt mode :
       {VerifyDecrypt::kOff, VerifyDecrypt::kSample, VerifyDecrypt::kAlways}) {
    for (const char said : kEverything) {
      const Outcome outcome = Decrypt(mode, std::string(1, said), 1);
      EXPECT_EQ(outcome.seen, SeenAs(said));
      EXPECT_EQ(outcome.asked, 1U);
      EXPECT_EQ(outcome.unconfirmed, said == 'R' || said == 'S' ? 1 : 0);
    }
  }
}

Opinion OpinionOf(char what, WorkerProcess worker = {.slot = 0, .number = 1}) {
  Reply<ipc::DecryptAnswer> reply;
  reply.answer = Says(what);
  reply.worker = worker;
  return Opinion(reply);
}

class OpinionServiceTest : public ::testing::Test {
 protected:
  KmsCallPtr Start(FakeWorld& world, BootTime deadline = BootTime::max()) {
    v2::DecryptRequest request = GoodDecryptRequest();
    return world.service.Decrypt(
        request, deadline,
        [this](const PublicError& error, std::span<const std::uint8_t> plaintext) {
          seen_.push_back(error.code == GrpcCode::kOk
                              ? std::string(plaintext.begin(), plaintext.end())
                              : std::string(error.text));
        });
  }

  bool AwaitQuestions(FakeWorld& world, std::size_t count) {
    return RunUntil(*world.loop, [&] { return world.workers.decrypt_count() >= count; });
  }

  // Keeps every question open, so that the test answers it.
  static void KeepOpen(FakeWorld& world) {
    world.workers.on_decrypt = [](const auto&, const auto&) {
      return std::nullopt;
    };
  }

  std::vector<std::string> seen_;
};

TEST_F(OpinionServiceTest, AsksAnotherWorkerAndLeavesTimeToRefuse) {
  FakeWorld world;
  KeepOpen(world);
  const BootTime deadline = BootNow() + milliseconds(500);
  Start(world, deadline);
  world.workers.AnswerOpen(Says('R'));
  ASSERT_TRUE(AwaitQuestions(world, 2));
  const auto& [request, choice] = world.workers.decrypts[1];
  EXPECT_EQ(choice.not_this, 0U);
  EXPECT_EQ(choice.fallback, WorkerChoice::Fallback::kFail);
  EXPECT_EQ(BootTime(request.deadline_ns()), deadline - kTimeToRefuse);
  EXPECT_EQ(request.ciphertext(), GoodCiphertext());
  EXPECT_THAT(seen_, IsEmpty());
  world.workers.AnswerOpen(FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_TIMEOUT));
  ASSERT_TRUE(RunUntil(*world.loop, [&] { return !seen_.empty(); }));
  EXPECT_EQ(seen_[0], kUnavailable);
}

TEST_F(OpinionServiceTest, ThirdOpinionIsAnybodysWhoIsNotReplaced) {
  FakeWorld world;
  KeepOpen(world);
  Start(world);
  world.workers.AnswerOpen(Says('R'));
  ASSERT_TRUE(AwaitQuestions(world, 2));
  world.workers.AnswerOpen(Says('P'));
  ASSERT_TRUE(AwaitQuestions(world, 3));
  EXPECT_THAT(world.workers.replaced, UnorderedElementsAre(0U, 1U));
  const WorkerChoice& choice = world.workers.decrypts[2].second;
  EXPECT_FALSE(choice.only || choice.not_this);
  EXPECT_EQ(world.metrics.mismatches, 1);
  ASSERT_THAT(world.log.Records(), SizeIs(1));
  const LogRecord record = world.log.Records()[0];
  EXPECT_EQ(record.event, "kms.decrypt_mismatch");
  EXPECT_EQ(record.level, LogLevel::kError);
  EXPECT_THAT(
      record.fields,
      ::testing::ElementsAre(std::pair<std::string, LogValue>("worker", std::int64_t{0}),
                             std::pair<std::string, LogValue>("other_worker", std::int64_t{1})));
  world.workers.AnswerOpen(Says('P'));
  ASSERT_TRUE(RunUntil(*world.loop, [&] { return !seen_.empty(); }));
  EXPECT_EQ(seen_[0], "secret");
}

TEST_F(OpinionServiceTest, ClientThatLeavesStopsEveryOpinion) {
  for (const std::string script : {"", "R", "RP"}) {
    SCOPED_TRACE(script);
    FakeWorld world;
    KeepOpen(world);
    seen_.clear();
    const KmsCallPtr call = Start(world);
    for (std::size_t i = 0; i < script.size(); ++i) {
      world.workers.AnswerOpen(Says(script[i]));
      ASSERT_TRUE(AwaitQuestions(world, i + 2));
    }
    call->Cancel();
    EXPECT_THAT(seen_, ::testing::ElementsAre("request canceled"));
    EXPECT_THAT(world.workers.cancelled, ::testing::ElementsAre(script.size() + 1));
  }
}

TEST_F(OpinionServiceTest, DrawnPlaintextWaitsForASecondOpinionForAWhile) {
  FakeWorld world({}, std::chrono::seconds(2), VerifyDecrypt::kSample);
  KeepOpen(world);
  Start(world);
  world.workers.AnswerOpen(Says('P'));
  ASSERT_TRUE(AwaitQuestions(world, 2));
  EXPECT_THAT(seen_, IsEmpty());
  const auto& [request, choice] = world.workers.decrypts[1];
  EXPECT_EQ(choice.not_this, 0U);
  EXPECT_LE(BootTime(request.deadline_ns()), BootNow() + milliseconds(500));
  world.workers.AnswerOpen(Says('P'));
  ASSERT_TRUE(RunUntil(*world.loop, [&] { return !seen_.empty(); }));
  EXPECT_EQ(seen_[0], "secret");
  EXPECT_EQ(world.metrics.unchecked, 0);
  EXPECT_EQ(world.metrics.mismatches, 0);
}

TEST_F(OpinionServiceTest, DrawnPlaintextIsGivenWithoutASecondOpinionAndThatIsCounted) {
  FakeWorld world({}, std::chrono::seconds(2), VerifyDecrypt::kSample);
  KeepOpen(world);
  Start(world);
  world.workers.AnswerOpen(Says('P'));
  ASSERT_TRUE(AwaitQuestions(world, 2));
  world.workers.AnswerOpen(Says('T'));
  ASSERT_TRUE(RunUntil(*world.loop, [&] { return !seen_.empty(); }));
  EXPECT_EQ(seen_[0], "secret");
  EXPECT_EQ(world.metrics.unchecked, 1);
  EXPECT_THAT(world.workers.replaced, IsEmpty());
}

TEST_F(OpinionServiceTest, DrawnPlaintextThatIsContradictedIsDecidedByAThird) {
  for (const char second : {'Q', 'R', 'S'}) {
    const Outcome outcome = Decrypt(VerifyDecrypt::kSample, {'P', second, second});
    EXPECT_EQ(outcome.seen, SeenAs(second));
    EXPECT_EQ(outcome.replaced, 2U);
    EXPECT_EQ(outcome.mismatches, 1);
  }
}

TEST(DecryptChecksTest, DrawsTheFirstAnswersOfEachProcessAndOneIn64) {
  DecryptChecks checks(VerifyDecrypt::kSample, 2);
  for (const WorkerProcess worker :
       {WorkerProcess{0, 1}, WorkerProcess{1, 2}, WorkerProcess{0, 3}}) {
    const Opinion given = OpinionOf('P', worker);
    for (std::uint32_t i = 0; i < DecryptChecks::kFirstAnswers; ++i) {
      EXPECT_EQ(checks.CheckFor(given), Check::kSampled);
    }
  }
  const Opinion given = OpinionOf('P', {0, 3});
  constexpr int kDraws = 64 * 1000;
  int drawn = 0;
  for (int i = 0; i < kDraws; ++i) {
    drawn += checks.CheckFor(given) == Check::kSampled ? 1 : 0;
  }
  EXPECT_GT(drawn, 700);
  EXPECT_LT(drawn, 1300);
}

TEST(DecryptChecksTest, DependOnTheOpinionAndTheChoice) {
  const auto check = [](VerifyDecrypt mode, char what, std::size_t workers = 2) {
    return DecryptChecks(mode, workers).CheckFor(OpinionOf(what));
  };
  EXPECT_EQ(check(VerifyDecrypt::kOff, 'P'), Check::kNone);
  EXPECT_EQ(check(VerifyDecrypt::kAlways, 'P'), Check::kRequired);
  for (const VerifyDecrypt mode :
       {VerifyDecrypt::kOff, VerifyDecrypt::kSample, VerifyDecrypt::kAlways}) {
    EXPECT_EQ(check(mode, 'R'), Check::kRequired);
    EXPECT_EQ(check(mode, 'T'), Check::kNone);
    EXPECT_EQ(check(mode, 'P', 1), Check::kNone);
    EXPECT_EQ(check(mode, 'R', 1), Check::kNone);
  }
}

// A short plaintext is inside the object, where the test can look for it.
TEST(OpinionTest, LeavesNoByteOfThePlaintext) {
  const auto contains = [](const void* memory, std::size_t size) {
    const std::string_view bytes(static_cast<const char*>(memory), size);
    return bytes.find("secret") != std::string_view::npos;
  };
  Reply<ipc::DecryptAnswer> reply;
  reply.answer = Says('P');
  std::string* const received = reply.answer.mutable_plaintext();
  alignas(Opinion) std::array<std::byte, sizeof(Opinion)> first{};
  alignas(Opinion) std::array<std::byte, sizeof(Opinion)> second{};
  auto* const taken = new (first.data()) Opinion(reply);
  EXPECT_FALSE(contains(received, sizeof *received));
  ASSERT_TRUE(contains(first.data(), first.size()));
  auto* const moved = new (second.data()) Opinion(std::move(*taken));
  EXPECT_FALSE(contains(first.data(), first.size()));
  taken->~Opinion();
  EXPECT_EQ(moved->plaintext(), "secret");
  moved->~Opinion();
  EXPECT_FALSE(contains(second.data(), second.size()));
}

}  // namespace
}  // namespace baokms::supervisor
