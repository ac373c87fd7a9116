// The real spawner with the real children's programs, started and spoken to by a test that plays
// its supervisor. The set-ups are empty, so that every child that starts refuses its own and ends.

#pragma once

#include <fcntl.h>
#include <poll.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/message_type.h"
#include "ipc/sealed.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"
#include "supervisor/children/start_spawner.h"
#include "tests/supervisor/children/peer.h"

namespace baokms::supervisor {

inline UniqueFd OpenToExecute(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_PATH | O_CLOEXEC));
}

// The programs as they were built.
inline HelperPrograms BuiltPrograms() {
  return {.spawner = OpenToExecute(BAOKMS_SPAWNER),
          .worker = OpenToExecute(BAOKMS_WORKER),
          .agent = OpenToExecute(BAOKMS_AUTHAGENT)};
}

class RealSpawner final {
 public:
  RealSpawner(std::uint32_t workers, const HelperPrograms& programs)
      : peer_(Start(workers, programs)) {
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

  [[nodiscard]] const Peer& peer() const { return peer_; }

 private:
  static UniqueFd Start(std::uint32_t workers, const HelperPrograms& programs) {
    ipc::SpawnerSetup setup;
    setup.set_workers(workers);
    return StartSpawner({.spawner_setup = ipc::SealMessage(setup).value(),
                         .worker_setup = ipc::SealMessage(ipc::WorkerSetup()).value(),
                         .agent_setup = ipc::SealMessage(ipc::AgentSetup()).value()},
                        programs)
        .value();
  }

  Peer peer_;
};

}  // namespace baokms::supervisor
