// No plaintext is in memory that a call frees. The workers here, unlike those of the other tests,
// keep no copy of what they are asked and answered.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "proto/ipc.pb.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/kms/service.h"
#include "tests/base/freed_memory.h"
#include "tests/supervisor/kms/fakes.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {
namespace {

constexpr std::string_view kSecret = "a secret that must not stay";

class ForgetfulWorkerPool final : public WorkerPool {
 public:
  void Cancel(RequestId /*request*/) override {}

  void Replace(const WorkerProcess& /*worker*/) override {}

  void PublishKeyTable(ipc::KeyTable /*table*/, std::function<void()> /*done*/) override {}

  [[nodiscard]] std::vector<WorkerState> Workers() const override { return {}; }

  // Answers what was asked last.
  void Answer() { std::exchange(answer_, nullptr)(); }

  [[nodiscard]] bool asked() const { return answer_ != nullptr; }

 private:
  RequestId SubmitAny(AnyRequest request, WorkerChoice /*choice*/, AnyDone done) override {
    if (auto* encrypt = std::get_if<ipc::EncryptRequest>(&request)) {
      encrypt->mutable_plaintext()->assign(encrypt->plaintext().size(), '\0');
      answer_ = [done = std::get<OnReply<ipc::EncryptAnswer>>(std::move(done))] {
        Reply<ipc::EncryptAnswer> reply;
        reply.answer = GoodEncryptAnswer();
        done(std::move(reply));
      };
    } else {
      answer_ = [done = std::get<OnReply<ipc::DecryptAnswer>>(std::move(done))] {
        Reply<ipc::DecryptAnswer> reply;
        reply.worker.slot = 1;
        reply.answer.set_outcome(ipc::OUTCOME_OK);
        reply.answer.mutable_plaintext()->assign(kSecret);
        done(std::move(reply));
      };
    }
    return 1;
  }

  std::function<void()> answer_;
};

class WipedPlaintextTest : public ::testing::Test {
 protected:
  // Owned by the test's body, so that it ends before what it uses.
  std::unique_ptr<KmsService> MakeService(ConcurrencyLimits limits = {}) {
    return std::make_unique<KmsService>(
        *loop_, workers_, status_, observers_,
        ServiceOptions{GoldenIdentity(), kPluginVersion, std::chrono::seconds(2), limits});
  }

  static v2::EncryptRequest Request() {
    v2::EncryptRequest request;
    request.mutable_plaintext()->assign(kSecret);
    return request;
  }

  EncryptDone NoteEncrypted() {
    return [this](const PublicError& error, const v2::EncryptResponse& /*response*/) {
      code_ = error.code;
      ended_ = true;
    };
  }

  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  ForgetfulWorkerPool workers_;
  FakeStatus status_{*loop_};
  FakeMetrics metrics_;
  FakeLog log_;
  Observers observers_{metrics_, log_};
  bool ended_ = false;
  GrpcCode code_ = GrpcCode::kInternal;
};

TEST_F(WipedPlaintextTest, OfAnEncryptThatSucceeds) {
  const auto service = MakeService();
  const FreedMemory freed(kSecret);
  v2::EncryptRequest request = Request();
  KmsCallPtr call = service->Encrypt(request, BootTime::max(), NoteEncrypted());
  workers_.Answer();  // the ciphertext
  workers_.Answer();  // its verification
  call.reset();
  ASSERT_TRUE(ended_);
  EXPECT_EQ(code_, GrpcCode::kOk);
  EXPECT_EQ(freed.found(), 0U);
}

TEST_F(WipedPlaintextTest, OfAnEncryptThatEndsEarly) {
  const auto service = MakeService();
  const FreedMemory freed(kSecret);
  v2::EncryptRequest request = Request();
  KmsCallPtr call = service->Encrypt(request, BootTime::max(), NoteEncrypted());
  call->Cancel();
  call.reset();
  workers_.Answer();  // too late
  EXPECT_EQ(code_, GrpcCode::kCancelled);
  EXPECT_EQ(freed.found(), 0U);
}

TEST_F(WipedPlaintextTest, OfAnEncryptThatIsNotAdmitted) {
  const auto service = MakeService({.encrypt = 0});
  v2::EncryptRequest request = Request();
  EXPECT_EQ(service->Encrypt(request, BootTime::max(), NoteEncrypted()), nullptr);
  EXPECT_EQ(code_, GrpcCode::kResourceExhausted);
  EXPECT_EQ(request.plaintext(), std::string(kSecret.size(), '\0'));
}

TEST_F(WipedPlaintextTest, OfADecrypt) {
  const auto service = MakeService();
  const FreedMemory freed(kSecret);
  v2::DecryptRequest request = GoodDecryptRequest();
  KmsCallPtr call =
      service->Decrypt(request, BootTime::max(),
                       [this](const PublicError& error, std::span<const std::uint8_t> plaintext) {
                         code_ = error.code;
                         ended_ = plaintext.size() == kSecret.size();
                       });
  ASSERT_TRUE(RunUntil(*loop_, [this] { return workers_.asked(); }));
  workers_.Answer();
  call.reset();
  EXPECT_TRUE(ended_);
  EXPECT_EQ(code_, GrpcCode::kOk);
  EXPECT_EQ(freed.found(), 0U);
}

}  // namespace
}  // namespace baokms::supervisor
