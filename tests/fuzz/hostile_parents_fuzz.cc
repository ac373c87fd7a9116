// A real worker and a real auth agent among supervisor, spawner and each other's kind, all of which
// were taken over. The first byte chooses the child ('w' or 'a'); a script (frames.h) follows, with
// `where` 0 for the supervisor, 1 for the other child and 2 for the spawner, and 128 added for a
// descriptor. The supervisor has answered the Hello, and the spawner has connected the two
// children. Properties: the child ends with one of its exit codes, and closes every descriptor.

#include <fcntl.h>
#include <signal.h>
#include <time.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "authagent/agent.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_process.h"
#include "ipc/child_session.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "tests/authagent/agent_fixture.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/quiet_protobuf.h"
#include "tests/fuzz/require.h"
#include "tests/supervisor/workers/run_loop.h"
#include "tests/worker/setups.h"
#include "worker/worker.h"

namespace baokms {
namespace {

using ipc::ExitCode;
using ipc::MessageType;

constexpr std::uint8_t kWithDescriptor = 128;
constexpr int kTurns = 4;

const std::string& CaPem() {
  static const std::string pem = authagent::SelfSignedPem();
  return pem;
}

UniqueFd OpenFile(const char* path) {
  return UniqueFd(::open(path, O_RDONLY | O_CLOEXEC));
}

Result<std::unique_ptr<worker::Worker>> Prepare(ipc::ChildSession& session,
                                                UniqueFd spawner,
                                                worker::Worker* /*kind*/) {
  return worker::Worker::Prepare(worker::MakeSetup(CaPem()), session, std::move(spawner));
}

Result<std::unique_ptr<authagent::Agent>> Prepare(ipc::ChildSession& session,
                                                  UniqueFd spawner,
                                                  authagent::Agent* /*kind*/) {
  ipc::AgentSetup setup;
  *setup.mutable_openbao() = worker::MakeSetup(CaPem()).openbao();
  setup.set_workers(2);
  setup.set_auth_mount("auth/jwt");
  setup.set_login_timeout_ns(BootTime(std::chrono::seconds(5)).count());
  setup.set_longest_backoff_ns(BootTime(std::chrono::seconds(30)).count());
  setup.set_log_level(1);
  setup.set_login_budget_per_minute(1000);
  setup.mutable_jwt_file()->set_path("/nonexistent/jwt");
  setup.mutable_jwt()->set_role("kms");
  return authagent::Agent::Prepare(setup, session, std::move(spawner));
}

// The three hostile ends. The child's ends of the first and the last are in `supervisor` and
// `spawner` until it takes them.
struct Surroundings {
  Surroundings() {
    std::array<UniqueFd, 3> child_ends;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      auto pair = ipc::MakeChannelPair();
      Require(pair.has_value(), "there are descriptors left");
      ends[i] = std::move(pair->first);
      child_ends[i] = std::move(pair->second);
    }
    supervisor = std::move(child_ends[0]);
    spawner = std::move(child_ends[2]);
    ipc::HelloAnswer answer;
    answer.set_protocol_version(ipc::kProtocolVersion);
    answer.set_role(ipc::ROLE_SUPERVISOR);
    Send(0, MessageType::kHelloAnswer, answer, -1);
    Send(2, MessageType::kPeerChannel, ipc::PeerChannel(), child_ends[1].get());
  }

  void Send(std::size_t to,
            MessageType type,
            const google::protobuf::MessageLite& message,
            int attached) {
    const auto encoded = ipc::EncodedMessage::Encode(type, message);
    (void)ipc::SendDatagram(ends[to].get(), *encoded, attached).has_value();
  }

  void Play(std::string_view script) {
    while (const auto frame = TakeFrame(script)) {
      const std::size_t end = frame->where % ends.size();
      const bool attach = (frame->where & kWithDescriptor) != 0;
      SendFrame(ends[end].get(), *frame, attach ? ends[end].get() : -1);
    }
  }

  std::array<UniqueFd, 3> ends;
  UniqueFd supervisor;
  UniqueFd spawner;
};

template <typename Child>
ExitCode Live(ipc::Role role, std::string_view script) {
  Surroundings around;
  ipc::ChildSession session(role, std::move(around.supervisor));
  auto child = Prepare(session, std::move(around.spawner), static_cast<Child*>(nullptr));
  Require(child.has_value(), "a child starts");
  // The messages come once the child knows its peers, and the supervisor leaves a little later.
  AfterTurns(session.loop(), kTurns, [&] {
    around.Play(script);
    AfterTurns(session.loop(), kTurns, [&around, &session] {
      around.ends[0].reset();
      AfterTurns(session.loop(), kTurns, [&session] { session.End(ExitCode::kStartFailed); });
    });
  });
  ipc::ConfinementReport report;
  report.set_filter_name("none");
  return (*child)->Run({OpenFile("/proc/self/status"), OpenFile("/proc/self/statm")}, report);
}

}  // namespace
}  // namespace baokms

// In place of libc's: a dead man's timer ends its process even after its owner is gone, so those of
// earlier inputs would end this one.
extern "C" int timer_create(clockid_t /*clock*/, sigevent* /*event*/, timer_t* timer) {
  *timer = nullptr;
  return 0;
}

extern "C" int timer_settime(timer_t /*timer*/,
                             int /*flags*/,
                             const itimerspec* /*value*/,
                             itimerspec* /*old*/) {
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace baokms;  // NOLINT(google-build-using-namespace): one function
  if (size == 0) {
    return 0;
  }
  (void)CaPem();
  const int descriptors = supervisor::CountDescriptors();
  const std::string_view script(reinterpret_cast<const char*>(data) + 1, size - 1);
  const ExitCode code = data[0] == 'a' ? Live<authagent::Agent>(ipc::ROLE_AUTH_AGENT, script)
                                       : Live<worker::Worker>(ipc::ROLE_WORKER, script);
  Require(code == ExitCode::kSupervisorGone || code == ExitCode::kPeerViolation,
          "a child ends with its supervisor, or because of a violation");
  Require(supervisor::CountDescriptors() == descriptors, "every descriptor is closed");
  return 0;
}
