// The real spawner with the real children's programs, started and spoken to by a test that plays
// its supervisor.

#pragma once

#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <poll.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "common/base/unique_fd.h"
#include "common/base/users.h"
#include "ipc/channel.h"
#include "ipc/message_type.h"
#include "ipc/sealed.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"
#include "supervisor/children/start_spawner.h"
#include "tests/supervisor/children/peer.h"

namespace baokms::supervisor {

inline constexpr uid_t kNobody = 65534;
inline constexpr UserIds kSupervisor{.uid = 64001, .gid = 64101};
inline constexpr UserIds kAgent{.uid = 64002, .gid = 64102};
inline constexpr UserIds kFirstWorker{.uid = 64003, .gid = 64103};
inline constexpr UserIds kSecondWorker{.uid = 64004, .gid = 64104};
inline constexpr gid_t kAgentGroup = 64201;

inline void Fill(const UserIds& user, ipc::UserSetup* part) {
  part->set_uid(user.uid);
  part->set_gid(user.gid);
}

// A user for each role.
inline ipc::SpawnerSetup SetupWithUsers() {
  ipc::SpawnerSetup setup;
  setup.set_workers(2);
  Fill(kFirstWorker, setup.mutable_users()->add_workers());
  Fill(kSecondWorker, setup.mutable_users()->add_workers());
  Fill(kAgent, setup.mutable_users()->mutable_agent());
  setup.mutable_users()->add_agent_groups(kAgentGroup);
  return setup;
}

inline UniqueFd OpenToExecute(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_PATH | O_CLOEXEC));
}

// The programs as they were built.
inline HelperPrograms BuiltPrograms() {
  return {.spawner = OpenToExecute(BAOKMS_SPAWNER),
          .worker = OpenToExecute(BAOKMS_WORKER),
          .agent = OpenToExecute(BAOKMS_AUTHAGENT)};
}

// Copies of the programs in a directory of their own, with a mode that the test chooses.
class CopiedPrograms final {
 public:
  CopiedPrograms() { EXPECT_NE(::mkdtemp(directory_.data()), nullptr); }

  ~CopiedPrograms() { std::filesystem::remove_all(directory_); }

  CopiedPrograms(const CopiedPrograms&) = delete;
  CopiedPrograms& operator=(const CopiedPrograms&) = delete;

  [[nodiscard]] HelperPrograms Install(mode_t mode) const {
    return {.spawner = Copy(BAOKMS_SPAWNER, mode),
            .worker = Copy(BAOKMS_WORKER, mode),
            .agent = Copy(BAOKMS_AUTHAGENT, mode)};
  }

 private:
  [[nodiscard]] UniqueFd Copy(const std::filesystem::path& program, mode_t mode) const {
    const std::string path = directory_ + "/" + program.filename().string();
    std::filesystem::remove(path);
    std::filesystem::copy_file(program, path);
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return OpenToExecute(path);
  }

  std::string directory_ = ::testing::TempDir() + "programs.XXXXXX";  // never mounted noexec
};

// How the spawner, the only child of this process, ended.
inline int ExitCodeOfSpawner() {
  int status = 0;
  EXPECT_GT(::waitpid(-1, &status, 0), 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class RealSpawner final {
 public:
  // With empty set-ups every child that starts refuses its own and ends.
  RealSpawner(std::uint32_t workers,
              const HelperPrograms& programs,
              const ipc::WorkerSetup& worker = {},
              const ipc::AgentSetup& agent = {})
      : RealSpawner(SetupOf(workers), programs, worker, agent) {}

  RealSpawner(const ipc::SpawnerSetup& setup,
              const HelperPrograms& programs,
              const ipc::WorkerSetup& worker = {},
              const ipc::AgentSetup& agent = {})
      : peer_(Start(setup, programs, worker, agent)) {
    ipc::HelloAnswer answer;
    answer.set_protocol_version(ipc::kProtocolVersion);
    answer.set_role(ipc::ROLE_SUPERVISOR);
    peer_.Send(ipc::MessageType::kHelloAnswer, answer);
  }

  // Returns the test's end of the child's channel.
  UniqueFd Spawn(ipc::Role role, std::uint32_t slot) {
    ipc::ChannelPair pair = ipc::MakeChannelPair().value();
    ipc::Spawn request;
    request.set_role(role);
    request.set_slot(slot);
    peer_.Send(ipc::MessageType::kSpawn, request, pair.second.get());
    return std::move(pair.first);
  }

  // The next message of this type; nothing once the spawner has ended, or if it is silent for ten
  // seconds.
  template <typename Message>
  std::optional<Message> Await(ipc::MessageType type) {
    for (;;) {
      if (auto received = peer_.Receive<Message>(type)) {
        return std::move(received->first);
      }
      pollfd waiting{peer_.fd(), POLLIN, 0};
      if (::poll(&waiting, 1, 10'000) != 1 || (waiting.revents & POLLIN) == 0) {
        return std::nullopt;
      }
      char byte = 0;
      if (::recv(peer_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
        return std::nullopt;
      }
    }
  }

  void Send(ipc::MessageType type, const google::protobuf::MessageLite& message) {
    peer_.Send(type, message);
  }

  [[nodiscard]] const Peer& peer() const { return peer_; }

 private:
  static ipc::SpawnerSetup SetupOf(std::uint32_t workers) {
    ipc::SpawnerSetup setup;
    setup.set_workers(workers);
    return setup;
  }

  static UniqueFd Start(const ipc::SpawnerSetup& setup,
                        const HelperPrograms& programs,
                        const ipc::WorkerSetup& worker,
                        const ipc::AgentSetup& agent) {
    return StartSpawner({.spawner_setup = ipc::SealMessage(setup).value(),
                         .worker_setup = ipc::SealMessage(worker).value(),
                         .agent_setup = ipc::SealMessage(agent).value()},
                        programs)
        .value()
        .channel;
  }

  Peer peer_;
};

}  // namespace baokms::supervisor
