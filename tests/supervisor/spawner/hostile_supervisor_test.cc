// The real spawner in the hands of a supervisor that was taken over.

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/unique_fd.h"
#include "ipc/child_descriptors.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "tests/supervisor/spawner/real_spawner.h"

namespace baokms::supervisor {
namespace {

constexpr std::uint32_t kWorkers = 2;

// ipc/limits.h: twenty starts of each child, and then two a second.
constexpr int kBurst = 20 * static_cast<int>(kWorkers);
constexpr double kPerSecond = 2 * static_cast<double>(kWorkers);

constexpr int kRounds = 30;

void SendDescriptors(int channel, std::string text, const std::array<int, 2>& descriptors) {
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof descriptors)> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof descriptors);
  std::memcpy(CMSG_DATA(rights), descriptors.data(), sizeof descriptors);
  EXPECT_EQ(::sendmsg(channel, &header, MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

TEST(HostileSupervisorTest, StartsChildrenNoFasterThanTheLimit) {
  const BootTime began = BootNow();
  {
    RealSpawner spawner(kWorkers, BuiltPrograms());
    int started = 0;
    int refused = 0;
    for (int round = 0; round < kRounds; ++round) {
      std::vector<UniqueFd> channels;
      for (std::uint32_t slot = 0; slot < kWorkers; ++slot) {
        channels.push_back(spawner.Spawn(ipc::ROLE_WORKER, slot));
      }
      int running = 0;
      for (std::uint32_t slot = 0; slot < kWorkers; ++slot) {
        const auto spawned = spawner.Await<ipc::Spawned>(ipc::MessageType::kSpawned);
        ASSERT_TRUE(spawned.has_value());
        running += spawned->pid() != 0 ? 1 : 0;
        refused += spawned->error() == EAGAIN ? 1 : 0;
      }
      started += running;
      for (; running > 0; --running) {
        ASSERT_TRUE(spawner.Await<ipc::Exited>(ipc::MessageType::kExited).has_value());
      }
    }
    const double seconds = std::chrono::duration<double>(BootNow() - began).count();
    EXPECT_EQ(started + refused, kRounds * static_cast<int>(kWorkers));
    EXPECT_GE(started, kBurst);
    EXPECT_LE(started, kBurst + kPerSecond * seconds);
  }
  EXPECT_EQ(ExitCodeOfSpawner(), static_cast<int>(ipc::ExitCode::kSupervisorGone));
}

TEST(HostileSupervisorTest, FillsNoSlotTwice) {
  RealSpawner spawner(1, BuiltPrograms());
  // Both wait before the spawner reads its first message.
  const UniqueFd first = spawner.Spawn(ipc::ROLE_WORKER, 0);
  const UniqueFd second = spawner.Spawn(ipc::ROLE_WORKER, 0);
  const auto spawned = spawner.Await<ipc::Spawned>(ipc::MessageType::kSpawned);
  ASSERT_TRUE(spawned.has_value());
  EXPECT_GT(spawned->pid(), 0);
  ASSERT_FALSE(spawner.Await<ipc::Spawned>(ipc::MessageType::kSpawned).has_value());
  EXPECT_EQ(ExitCodeOfSpawner(), static_cast<int>(ipc::ExitCode::kPeerViolation));
}

TEST(HostileSupervisorTest, FillsNoSlotThatDoesNotExist) {
  for (const auto& [role, slot] :
       {std::pair(ipc::ROLE_WORKER, 1U), std::pair(ipc::ROLE_AUTH_AGENT, 1U),
        std::pair(ipc::ROLE_SPAWNER, 0U)}) {
    RealSpawner spawner(1, BuiltPrograms());
    const UniqueFd channel = spawner.Spawn(role, slot);
    ASSERT_FALSE(spawner.Await<ipc::Spawned>(ipc::MessageType::kSpawned).has_value());
    EXPECT_EQ(ExitCodeOfSpawner(), static_cast<int>(ipc::ExitCode::kPeerViolation));
  }
}

// A child's set-up is the sealed one that the spawner was started with.
TEST(HostileSupervisorTest, GivesNoChildASetUpOfItsOwn) {
  ipc::WorkerSetup setup;
  setup.mutable_openbao()->set_ca_pem("the authority of the attacker");
  const UniqueFd own = ipc::SealMessage(setup).value();
  const ipc::ChannelPair channel = ipc::MakeChannelPair().value();
  RealSpawner spawner(1, BuiltPrograms());
  ipc::Spawn request;
  request.set_role(ipc::ROLE_WORKER);
  const std::string text =
      std::string{static_cast<char>(ipc::MessageType::kSpawn), 0} + request.SerializeAsString();
  SendDescriptors(spawner.peer().fd(), text, {channel.second.get(), own.get()});
  ASSERT_FALSE(spawner.Await<ipc::Spawned>(ipc::MessageType::kSpawned).has_value());
  EXPECT_EQ(ExitCodeOfSpawner(), static_cast<int>(ipc::ExitCode::kPeerViolation));
}

}  // namespace
}  // namespace baokms::supervisor
