#include "supervisor/spawner/spawner.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
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
#include "common/base/users.h"
#include "ipc/channel.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_process.h"
#include "ipc/child_session.h"
#include "ipc/dispatch.h"
#include "ipc/limits.h"
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

// How long children may take to end by themselves when their supervisor is gone.
constexpr std::chrono::milliseconds kTimeToEnd{1000};

// A child that runs, and the channel on which it is given its channels to other children.
struct Child {
  pid_t pid = 0;
  UniqueFd channel{};
};

class Spawner final {
 public:
  // Does everything that its filter forbids later, then installs the filter.
  static Result<std::unique_ptr<Spawner>> Create(ipc::ChildSession& session);

  // Sends Hello and serves until the supervisor is gone.
  ExitCode Serve();

 private:
  Spawner(ipc::ChildSession& session, const ipc::SpawnerSetup& setup, ipc::ProcFiles proc)
      : session_(session), setup_(setup), proc_(std::move(proc)) {}

  Status Confine();

  Status Listen();
  Status OnSpawn(const ipc::Spawn& request, UniqueFd channel);
  Status OnKill(const ipc::Kill& request);
  void OnChildSignal();
  void EndChildren();
  [[nodiscard]] LaunchPlan PlanFor(const ChildKey& key, int supervisor, int spawner) const;
  [[nodiscard]] bool Exists(const ChildKey& key) const;
  [[nodiscard]] std::optional<UserIds> UserOf(const ChildKey& key) const;
  void End(const ChildKey& key, const Child& child) const;
  Result<pid_t> Start(const ChildKey& key, int supervisor);
  void OnWord(const ChildKey& from);
  void Introduce(const ChildKey& started);
  void Connect(Child& agent, std::uint32_t slot, Child& worker);
  void Give(const ChildKey& to, const Child& child, std::uint32_t slot, const UniqueFd& end) const;
  void Disconnect(Child& child);

  ipc::ChildSession& session_;
  ipc::SpawnerSetup setup_;
  ipc::ProcFiles proc_;  // until it introduces itself
  ipc::ConfinementReport confinement_;
  UniqueFd child_signals_;
  std::map<ChildKey, Child> running_;
  std::map<ChildKey, TokenBucket> spawns_;
};

// A slot without a user would be started with the spawner's.
Status CheckUsers(const ipc::SpawnerSetup& setup) {
  if (!setup.has_users()) {
    return {};
  }
  const auto is_root = [](const ipc::UserSetup& user) {
    return user.uid() == 0;
  };
  if (setup.users().workers_size() != static_cast<int>(setup.workers()) ||
      std::ranges::any_of(setup.users().workers(), is_root) || is_root(setup.users().agent())) {
    return Error(ErrorCode::kInvalidArgument, "set-up: users of the children");
  }
  return {};
}

// The agent's groups, because the filter forbids to add any later, and what is needed to become the
// children's users.
Status TakePrivileges(const ipc::SpawnerSetup& setup) {
  if (!setup.has_users()) {
    return {};
  }
  const auto& groups = setup.users().agent_groups();
  BAOKMS_TRY(SetGroups(std::vector<gid_t>(groups.begin(), groups.end())));
  return KeepUserCapabilities(Heritage::kNone);
}

// The kernel then says which user sent each message that the agent receives.
Status Identify(const UniqueFd& agent_end) {
  constexpr int kOn = 1;
  return CheckSyscall(::setsockopt(agent_end.get(), SOL_SOCKET, SO_PASSCRED, &kOn, sizeof kOn),
                      "setsockopt(SO_PASSCRED)");
}

Result<std::unique_ptr<Spawner>> Spawner::Create(ipc::ChildSession& session) {
  BAOKMS_TRY(RequireOpenDescriptors(ipc::kSpawnerDescriptors));
  BAOKMS_TRY(CloseFrom(ipc::kSpawnerDescriptors));
  BAOKMS_TRY(NameProcess("bao-kms-spawner"));
  ipc::ProcFiles proc = BAOKMS_TRY(ipc::OpenProcFiles());
  const bool dumpable = IsDumpable();
  BAOKMS_TRY(HardenSelf());
  BAOKMS_TRY(IgnoreGroupSignals());
  const auto setup = BAOKMS_TRY(ipc::OpenSealed<ipc::SpawnerSetup>(ipc::kSetupDescriptor));
  if (setup.workers() == 0 || setup.workers() > ipc::kMaxWorkers) {
    return Error(ErrorCode::kInvalidArgument, "number of workers out of range");
  }
  // Its children would begin like this as well, and somebody could open their memory in time.
  if (dumpable && setup.programs_unreadable()) {
    return Error(ErrorCode::kInvalidArgument,
                 "fs.suid_dumpable is 1, so the memory of a process that starts can be read; run "
                 "sysctl --write fs.suid_dumpable=0");
  }
  BAOKMS_TRY(CheckUsers(setup));
  BAOKMS_TRY(session.Open(LogLevel::kInfo));
  std::unique_ptr<Spawner> spawner(new Spawner(session, setup, std::move(proc)));
  BAOKMS_TRY(spawner->Listen());
  BAOKMS_TRY(spawner->Confine());
  return spawner;
}

Status Spawner::Confine() {
  BAOKMS_TRY(ipc::ReportRefusedSyscalls(ipc::kSupervisorChannel));
  BAOKMS_TRY(TakePrivileges(setup_));
  SeccompPolicy policy = BAOKMS_TRY(BuildSpawnerPolicy(setup_));
  BAOKMS_TRY(policy.Install());
  confinement_.set_filter_name(kSpawnerFilterName);
  confinement_.set_refused_syscall(BAOKMS_TRY(ipc::ProveRefused(SYS_getppid)));
  return {};
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
  return (key.role == ipc::ROLE_WORKER && key.slot < setup_.workers()) ||
         (key.role == ipc::ROLE_AUTH_AGENT && key.slot == 0);
}

std::optional<UserIds> Spawner::UserOf(const ChildKey& key) const {
  if (!setup_.has_users()) {
    return std::nullopt;
  }
  const ipc::UserSetup& user = key.role == ipc::ROLE_WORKER
                                   ? setup_.users().workers(static_cast<int>(key.slot))
                                   : setup_.users().agent();
  return UserIds{.uid = user.uid(), .gid = user.gid()};
}

// Only a process of a child's user may signal it. Waiting for that process keeps the child's pid
// from being given to another one meanwhile: nobody else waits for children.
void Spawner::End(const ChildKey& key, const Child& child) const {
  const std::optional<UserIds> user = UserOf(key);
  if (!user) {
    (void)::kill(child.pid, SIGKILL);
    return;
  }
  const pid_t killer = ::fork();
  if (killer == 0) {
    (void)BecomeUser(*user);
    (void)::kill(child.pid, SIGKILL);
    ::_exit(0);
  }
  while (killer > 0 && ::waitpid(killer, nullptr, 0) < 0 && errno == EINTR) {
  }
}

LaunchPlan Spawner::PlanFor(const ChildKey& key, int supervisor, int spawner) const {
  LaunchPlan plan;
  plan.environment = ChildEnvironment();
  plan.user = UserOf(key);
  plan.keep_groups = key.role == ipc::ROLE_AUTH_AGENT;
  plan.null = STDIN_FILENO;  // /dev/null already: the filter permits opening nothing for writing
  if (key.role == ipc::ROLE_WORKER) {
    plan.name = "bao-kms-worker";
    plan.program = ipc::kWorkerProgramDescriptor;
    plan.descriptors = {supervisor, ipc::kWorkerSetupDescriptor, spawner};
    return plan;
  }
  plan.name = "bao-kms-authagent";
  plan.environment.insert(plan.environment.end(), setup_.agent_environment().begin(),
                          setup_.agent_environment().end());
  plan.program = ipc::kAgentProgramDescriptor;
  plan.descriptors = {supervisor, ipc::kAgentSetupDescriptor, spawner};
  plan.credential = setup_.agent_credential();
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
  TokenBucket& spawns =
      spawns_.try_emplace(key, ipc::kSpawns.burst, ipc::kSpawns.per_second).first->second;
  if (!spawns.Take(BootNow())) {
    answer.set_error(EAGAIN);
  } else if (const Result<pid_t> child = Start(key, channel.get())) {
    answer.set_pid(*child);
  } else {
    answer.set_error(static_cast<std::uint32_t>(child.error().sys_errno()));
  }
  session_.Tell(MessageType::kSpawned, answer);
  return {};
}

Result<pid_t> Spawner::Start(const ChildKey& key, int supervisor) {
  ipc::ChannelPair pair = BAOKMS_TRY(ipc::MakeChannelPair());
  Child child{.channel = std::move(pair.first)};
  BAOKMS_TRY(session_.loop().Watch(child.channel.get(), EPOLLIN | EPOLLRDHUP,
                                   [this, key](std::uint32_t) { OnWord(key); }));
  const Result<pid_t> started = Launch(PlanFor(key, supervisor, pair.second.get()));
  if (!started) {
    Disconnect(child);
    return started.error();
  }
  child.pid = *started;
  running_[key] = std::move(child);
  Introduce(key);
  return started;
}

// A child has nothing to say to the spawner: it has ended, or it is compromised. What it sent is
// not read, and descriptors must not stay queued.
void Spawner::OnWord(const ChildKey& from) {
  if (const auto child = running_.find(from); child != running_.end()) {
    End(from, child->second);
    Disconnect(child->second);
  }
}

// Every pair is new, so that nothing that a dead child did to a channel reaches another.
void Spawner::Introduce(const ChildKey& started) {
  const auto agent = running_.find(kAgentKey);
  if (agent == running_.end()) {
    return;
  }
  for (auto& [key, child] : running_) {
    if (key.role == ipc::ROLE_WORKER && (started == kAgentKey || started == key)) {
      Connect(agent->second, key.slot, child);
    }
  }
}

// Keeps neither end. A worker without a channel is of no use; its restart is the next attempt.
void Spawner::Connect(Child& agent, std::uint32_t slot, Child& worker) {
  const Result<ipc::ChannelPair> pair = ipc::MakeChannelPair();
  if (!pair || (setup_.has_users() && !Identify(pair->first))) {
    End(WorkerKey(slot), worker);
    return;
  }
  Give(kAgentKey, agent, slot, pair->first);
  Give(WorkerKey(slot), worker, slot, pair->second);
}

// A child that cannot be given anything is stuck, or has just ended.
void Spawner::Give(const ChildKey& to,
                   const Child& child,
                   std::uint32_t slot,
                   const UniqueFd& end) const {
  ipc::PeerChannel peer;
  peer.set_slot(slot);
  const auto message = ipc::EncodedMessage::Encode(MessageType::kPeerChannel, peer);
  if (!message) {
    return;
  }
  const auto sent = ipc::SendDatagram(child.channel.get(), *message, end.get());
  if (!sent || *sent != ipc::SendState::kSent) {
    End(to, child);
  }
}

void Spawner::Disconnect(Child& child) {
  if (child.channel.valid()) {
    session_.loop().Unwatch(child.channel.get());
    child.channel.reset();
  }
}

Status Spawner::OnKill(const ipc::Kill& request) {
  const auto child = running_.find({request.role(), request.slot()});
  // The child may have just exited, which is no error of the supervisor: Exited is on its way.
  if (child != running_.end()) {
    End(child->first, child->second);
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
    const auto child =
        std::ranges::find(running_, pid, [](const auto& row) { return row.second.pid; });
    if (child == running_.end()) {
      continue;
    }
    ipc::Exited exited;
    exited.set_role(child->first.role);
    exited.set_slot(child->first.slot);
    exited.set_pid(pid);
    exited.set_wait_status(status);
    session_.Tell(MessageType::kExited, exited);
    Disconnect(child->second);
    running_.erase(child);
  }
}

// A child ends with its supervisor's channel, or by a timer. One that is compromised can ignore the
// first and stop the second.
void Spawner::EndChildren() {
  const BootTime deadline = BootNow() + kTimeToEnd;
  while (!running_.empty() && BootNow() < deadline) {
    pollfd ended{child_signals_.get(), POLLIN, 0};
    (void)::poll(&ended, 1, static_cast<int>(kTimeToEnd.count()));
    OnChildSignal();
  }
  for (const auto& [key, child] : running_) {
    End(key, child);
  }
}

ExitCode Spawner::Serve() {
  if (const Status introduced = session_.Introduce(std::move(proc_), confinement_); !introduced) {
    return ipc::ExitCodeAfter(introduced.error());
  }
  const ExitCode code = session_.Run([] {});
  EndChildren();
  return code;
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
