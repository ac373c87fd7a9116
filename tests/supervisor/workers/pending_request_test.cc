#include "supervisor/workers/pending_request.h"

#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "proto/ipc.pb.h"
#include "tests/base/freed_memory.h"

namespace baokms::supervisor {
namespace {

constexpr std::string_view kSecret =
    "a secret that must not stay, longer than what a string keeps spare";

PendingRequestPtr MakeEncrypt() {
  ipc::EncryptRequest request;
  request.mutable_plaintext()->assign(kSecret);
  return MakePending(1, std::move(request), {},
                     OnReply<ipc::EncryptAnswer>([](const Reply<ipc::EncryptAnswer>&) {}));
}

TEST(PendingRequestTest, LeavesNoPlaintextInFreedMemory) {
  const FreedMemory freed(kSecret);
  MakeEncrypt().reset();
  EXPECT_EQ(freed.found(), 0U);
}

TEST(FingerprintTest, LeavesNoPlaintextInFreedMemory) {
  const PendingRequestPtr pending = MakeEncrypt();
  const FreedMemory freed(kSecret);
  (void)Fingerprint(*pending);
  EXPECT_EQ(freed.found(), 0U);
}

}  // namespace
}  // namespace baokms::supervisor
