#include "supervisor/spawner/spawner.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/result.h"
#include "common/base/token_bucket.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_process.h"
#include "ipc/child_session.h"
#include "ipc/dispatch.h"
#include "ipc/message_type.h"
#include "ipc/refused_syscall.h"
#include "ipc/sealed.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"
#include "supervisor/spawner/child_key.h"
#include "supervisor/spawner/launch.h"
#include "supervisor/spawner/sandbox.h"

namespace baokms::supervisor {
namespace {

using ipc::ExitCode;
using ipc::MessageType;

// A supervisor that restarts children faster than this is broken or compromised. Every slot may be
// filled once at start, and once more immediately after a crash of all children.
constexpr double kSpawnBurst = 2 * (ipc::kMaxWorkers + 1);
constexpr double kSpawnsPerSecond = 5;

// Both ends of one agent-worker pair, kept for every incarnation of both.
struct Pair {
  UniqueFd agent_end;
  UniqueFd worker_end;
};

class Spawner final {
 public:
  // Does everything that its filter forbids later, then installs the filter.
  static Result<std::unique_ptr<Spawner>> Create(ipc::ChildSession& session);

  // Sends Hello and serves until the supervisor is gone.
  ExitCode Serve();

 private:
  Spawner(ipc::ChildSession& session,
          std::vector<Pair> pairs,
          std::vector<std::string> agent_environment)
      : session_(session),
        pairs_(std::move(pairs)),
        agent_environment_(std::move(agent_environment)) {}

  Status Listen();
  Status OnSpawn(const ipc::Spawn& request, UniqueFd channel);
  Status OnKill(const ipc::Kill& request);
  void OnChildSignal();
  [[nodiscard]] LaunchPlan PlanFor(const ChildKey& key, int channel) const;
  [[nodiscard]] bool Exists(const ChildKey& key) const;

  ipc::ChildSession& session_;
  std::vector<Pair> pairs_;
  std::vector<std::string> agent_environment_;  // for its PKCS#11 module
  UniqueFd child_signals_;
  std::map<ChildKey, pid_t> running_;
  TokenBucket spawns_{kSpawnBurst, kSpawnsPerSecond};
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

Result<std::unique_ptr<Spawner>> Spawner::Create(ipc::ChildSession& session) {
  BAOKMS_TRY(RequireOpenDescriptors(ipc::kSpawnerDescriptors));
  BAOKMS_TRY(CloseFrom(ipc::kSpawnerDescriptors));
  BAOKMS_TRY(NameProcess("bao-kms-spawner"));
  BAOKMS_TRY(HardenSelf());
  BAOKMS_TRY(IgnoreGroupSignals());
  const auto setup = BAOKMS_TRY(ipc::OpenSealed<ipc::SpawnerSetup>(ipc::kSetupDescriptor));
  std::vector<Pair> pairs = BAOKMS_TRY(MakePairs(setup.workers()));
  BAOKMS_TRY(session.Open(LogLevel::kInfo));
  std::unique_ptr<Spawner> spawner(
      new Spawner(session, std::move(pairs),
                  {setup.agent_environment().begin(), setup.agent_environment().end()}));
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
  if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return Error(ErrorCode::kSystem, "sigprocmask", errno);
  }
  child_signals_ = UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!child_signals_.valid()) {
    return Error(ErrorCode::kSystem, "signalfd", errno);
  }
  BAOKMS_TRY(session_.loop().Watch(child_signals_.get(), EPOLLIN,
                                   [this](std::uint32_t) { OnChildSignal(); }));
  ipc::Dispatch& table = session_.table();
  table.AddWithDescriptor<ipc::Spawn>(
      MessageType::kSpawn, ipc::kPhaseServing, ipc::Descriptor::kRequired,
      [this](const ipc::Spawn& request, UniqueFd fd) { return OnSpawn(request, std::move(fd)); });
  table.Add<ipc::Kill>(MessageType::kKill, ipc::kPhaseServing,
                       [this](const ipc::Kill& request) { return OnKill(request); });
  return {};
}

bool Spawner::Exists(const ChildKey& key) const {
  return (key.role == ipc::ROLE_WORKER && key.slot < pairs_.size()) ||
         (key.role == ipc::ROLE_AUTH_AGENT && key.slot == 0);
}

LaunchPlan Spawner::PlanFor(const ChildKey& key, int channel) const {
  LaunchPlan plan;
  plan.environment = ChildEnvironment();
  plan.null = STDIN_FILENO;  // /dev/null already: the filter permits opening nothing for writing
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
  if (!spawns_.Take(BootNow())) {
    answer.set_error(EAGAIN);
  } else if (const Result<pid_t> child = Launch(PlanFor(key, channel.get()))) {
    running_[key] = *child;
    answer.set_pid(*child);
  } else {
    answer.set_error(static_cast<std::uint32_t>(child.error().sys_errno()));
  }
  session_.Tell(MessageType::kSpawned, answer);
  return {};
}

Status Spawner::OnKill(const ipc::Kill& request) {
  const auto child = running_.find({request.role(), request.slot()});
  // The child may have just exited, which is no error of the supervisor: Exited is on its way.
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
      session_.Tell(MessageType::kExited, exited);
      return true;
    });
  }
}

ExitCode Spawner::Serve() {
  if (const Status greeted = session_.SayHello(); !greeted) {
    return ipc::ExitCodeAfter(greeted.error());
  }
  return session_.Run([] {});
}

// Serves and then exits the process; returns only if the spawner could not start.
Status Start(ipc::ChildSession& session) {
  const std::unique_ptr<Spawner> spawner = BAOKMS_TRY(Spawner::Create(session));
  ::_exit(static_cast<int>(spawner->Serve()));
}

}  // namespace

int RunSpawner() {
  return ipc::RunChild(ipc::ROLE_SPAWNER, Start);
}

}  // namespace baokms::supervisor
