#include "supervisor/spawner/spawner.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include <unistd.h>

#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/heartbeat.h"
#include "common/base/process.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/child_descriptors.h"
#include "ipc/dispatch.h"
#include "ipc/link.h"
#include "ipc/message_type.h"
#include "ipc/refused_syscall.h"
#include "ipc/sealed.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"
#include "supervisor/spawner/launch.h"
#include "supervisor/spawner/sandbox.h"

namespace baokms::supervisor {
namespace {

using ipc::ExitCode;
using ipc::MessageType;

// A supervisor that restarts children faster than this is broken or taken over. Every slot may be
// filled once at start, and again at once after a crash of all.
constexpr double kSpawnBurst = 2 * (ipc::kMaxWorkers + 1);
constexpr double kSpawnsPerSecond = 5;

struct ChildKey {
  ipc::Role role;
  std::uint32_t slot;
  friend auto operator<=>(const ChildKey&, const ChildKey&) = default;
};

// Both ends of one agent-worker pair, kept for every incarnation of both.
struct Pair {
  UniqueFd agent_end;
  UniqueFd worker_end;
};

class Spawner final {
 public:
  static Result<std::unique_ptr<Spawner>> Create();

  // Sends Hello and serves until the supervisor is gone.
  Result<ExitCode> Serve();

 private:
  Spawner(std::unique_ptr<EventLoop> loop,
          std::vector<Pair> pairs,
          std::vector<std::string> agent_environment)
      : loop_(std::move(loop)),
        pairs_(std::move(pairs)),
        agent_environment_(std::move(agent_environment)) {}

  Status Listen();
  void FillDispatch();
  Status OnSpawn(const ipc::Spawn& request, UniqueFd channel);
  Status OnKill(const ipc::Kill& request);
  void OnChildSignal();
  bool TakeSpawnAllowance();
  [[nodiscard]] LaunchPlan PlanFor(const ChildKey& key, int channel) const;
  [[nodiscard]] bool Exists(const ChildKey& key) const;

  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Heartbeat> heartbeat_;
  std::vector<Pair> pairs_;
  std::vector<std::string> agent_environment_;  // for its PKCS#11 module
  UniqueFd child_signals_;
  ipc::Dispatch dispatch_;
  ipc::Phase phase_ = ipc::kPhaseHello;
  std::unique_ptr<ipc::Link> link_;
  std::map<ChildKey, pid_t> running_;
  double allowance_ = kSpawnBurst;
  BootTime allowance_at_ = BootNow();
  ExitCode exit_ = ExitCode::kSupervisorGone;
};

Result<std::vector<Pair>> MakePairs(std::uint32_t workers) {
  if (workers == 0 || workers > ipc::kMaxWorkers) {
    return Error(ErrorCode::kInvalidArgument, "number of workers out of range");
  }
  std::vector<Pair> pairs;
  for (std::uint32_t i = 0; i < workers; ++i) {
    ipc::ChannelPair pair = BAOKMS_TRY(ipc::MakeChannelPair());
    pairs.push_back({std::move(pair.first), std::move(pair.second)});
  }
  return pairs;
}

Status BlockChildSignal() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGCHLD);
  if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return Error(ErrorCode::kSystem, "sigprocmask", errno);
  }
  return {};
}

Result<std::unique_ptr<Spawner>> Spawner::Create() {
  BAOKMS_TRY(RequireOpenDescriptors(ipc::kSpawnerDescriptors));
  BAOKMS_TRY(CloseFrom(ipc::kSpawnerDescriptors));
  BAOKMS_TRY(NameProcess("bao-kms-spawner"));
  BAOKMS_TRY(HardenSelf());
  BAOKMS_TRY(IgnoreGroupSignals());
  BAOKMS_TRY(BlockChildSignal());
  const auto setup = BAOKMS_TRY(ipc::OpenSealed<ipc::SpawnerSetup>(ipc::kSetupDescriptor));
  std::vector<Pair> pairs = BAOKMS_TRY(MakePairs(setup.workers()));
  auto loop = BAOKMS_TRY(EventLoop::Create());
  std::unique_ptr<Spawner> spawner(
      new Spawner(std::move(loop), std::move(pairs),
                  {setup.agent_environment().begin(), setup.agent_environment().end()}));
  spawner->heartbeat_ = BAOKMS_TRY(Heartbeat::Create(*spawner->loop_));
  BAOKMS_TRY(spawner->Listen());
  BAOKMS_TRY(ipc::ReportRefusedSyscalls(ipc::kSupervisorChannel));
  SeccompPolicy policy = BAOKMS_TRY(
      BuildSpawnerPolicy(setup.has_module() ? std::optional(setup.module()) : std::nullopt));
  BAOKMS_TRY(policy.Install());
  return spawner;
}

Status Spawner::Listen() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGCHLD);
  child_signals_ = UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!child_signals_.valid()) {
    return Error(ErrorCode::kSystem, "signalfd", errno);
  }
  BAOKMS_TRY(
      loop_->Watch(child_signals_.get(), EPOLLIN, [this](std::uint32_t) { OnChildSignal(); }));
  FillDispatch();
  link_ = BAOKMS_TRY(ipc::Link::Create(
      *loop_, UniqueFd(ipc::kSupervisorChannel), ipc::LinkKind::kGeneral,
      [this](ipc::Datagram datagram) { return dispatch_.Deliver(std::move(datagram), phase_); },
      [this](const Error& error) {
        exit_ = error.code() == ErrorCode::kUnavailable ? ExitCode::kSupervisorGone
                                                        : ExitCode::kPeerBreach;
        loop_->Stop();
      }));
  return {};
}

void Spawner::FillDispatch() {
  dispatch_.Add<ipc::HelloAnswer>(MessageType::kHelloAnswer, ipc::kPhaseHello,
                                  [this](const ipc::HelloAnswer& answer) -> Status {
                                    if (answer.protocol_version() != ipc::kProtocolVersion ||
                                        answer.role() != ipc::ROLE_SUPERVISOR) {
                                      return Error(ErrorCode::kProtocolViolation,
                                                   "supervisor of another version");
                                    }
                                    phase_ = ipc::kPhaseServing;
                                    return {};
                                  });
  dispatch_.AddWithDescriptor<ipc::Spawn>(
      MessageType::kSpawn, ipc::kPhaseServing, ipc::Descriptor::kRequired,
      [this](const ipc::Spawn& request, UniqueFd fd) { return OnSpawn(request, std::move(fd)); });
  dispatch_.Add<ipc::Kill>(MessageType::kKill, ipc::kPhaseServing,
                           [this](const ipc::Kill& request) { return OnKill(request); });
}

bool Spawner::Exists(const ChildKey& key) const {
  return (key.role == ipc::ROLE_WORKER && key.slot < pairs_.size()) ||
         (key.role == ipc::ROLE_AUTH_AGENT && key.slot == 0);
}

bool Spawner::TakeSpawnAllowance() {
  const BootTime now = BootNow();
  const std::chrono::duration<double> elapsed = now - allowance_at_;
  allowance_at_ = now;
  allowance_ += elapsed.count() * kSpawnsPerSecond;
  allowance_ = allowance_ > kSpawnBurst ? kSpawnBurst : allowance_;
  if (allowance_ < 1) {
    return false;
  }
  allowance_ -= 1;
  return true;
}

LaunchPlan Spawner::PlanFor(const ChildKey& key, int channel) const {
  LaunchPlan plan;
  plan.environment = ChildEnvironment();
  plan.null = STDIN_FILENO;  // /dev/null already: the filter lets it open nothing for writing
  if (key.role == ipc::ROLE_WORKER) {
    plan.name = "bao-kms-worker";
    plan.program = ipc::kWorkerProgramDescriptor;
    plan.descriptors = {channel, ipc::kWorkerSetupDescriptor, pairs_[key.slot].worker_end.get()};
    return plan;
  }
  plan.name = "bao-kms-authagent";
  plan.environment.insert(plan.environment.end(), agent_environment_.begin(),
                          agent_environment_.end());
  plan.program = ipc::kAgentProgramDescriptor;
  plan.descriptors = {channel, ipc::kAgentSetupDescriptor};
  for (const Pair& pair : pairs_) {
    plan.descriptors.push_back(pair.agent_end.get());
  }
  return plan;
}

Status Spawner::OnSpawn(const ipc::Spawn& request, UniqueFd channel) {
  const ChildKey key{request.role(), request.slot()};
  if (!Exists(key) || running_.contains(key)) {
    return Error(ErrorCode::kProtocolViolation, "spawn of a slot that is not free");
  }
  ipc::Spawned answer;
  answer.set_role(key.role);
  answer.set_slot(key.slot);
  if (!TakeSpawnAllowance()) {
    answer.set_error(EAGAIN);
    return link_->Send(MessageType::kSpawned, answer);
  }
  const Result<pid_t> child = Launch(PlanFor(key, channel.get()));
  if (child) {
    running_[key] = *child;
    answer.set_pid(*child);
  } else {
    answer.set_error(static_cast<std::uint32_t>(child.error().sys_errno()));
  }
  return link_->Send(MessageType::kSpawned, answer);
}

Status Spawner::OnKill(const ipc::Kill& request) {
  const auto child = running_.find({request.role(), request.slot()});
  // A child that has just exited is no mistake of the supervisor: Exited is on its way.
  if (child != running_.end()) {
    (void)::kill(child->second, SIGKILL);
  }
  return {};
}

void Spawner::OnChildSignal() {
  signalfd_siginfo info{};
  (void)!::read(child_signals_.get(), &info, sizeof info);
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid <= 0) {
      return;
    }
    std::erase_if(running_, [&](const auto& child) {
      if (child.second != pid) {
        return false;
      }
      ipc::Exited exited;
      exited.set_role(child.first.role);
      exited.set_slot(child.first.slot);
      exited.set_pid(pid);
      exited.set_wait_status(status);
      // Fails only when the supervisor is gone, which ends the loop by itself.
      (void)link_->Send(MessageType::kExited, exited).has_value();
      return true;
    });
  }
}

Result<ExitCode> Spawner::Serve() {
  ipc::Hello hello;
  hello.set_protocol_version(ipc::kProtocolVersion);
  hello.set_role(ipc::ROLE_SPAWNER);
  BAOKMS_TRY(link_->Send(MessageType::kHello, hello));
  BAOKMS_TRY(loop_->Run());
  return exit_;
}

}  // namespace

int RunSpawner() {
  Result<std::unique_ptr<Spawner>> spawner = Spawner::Create();
  if (!spawner) {
    return static_cast<int>(ExitCode::kStartFailed);
  }
  const Result<ExitCode> ended = (*spawner)->Serve();
  return static_cast<int>(ended ? *ended : ExitCode::kLoopFailed);
}

}  // namespace baokms::supervisor
