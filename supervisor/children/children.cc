#include "supervisor/children/children.h"

#include <sys/wait.h>
#include <poll.h>

#include <array>
#include <chrono>
#include <csignal>
#include <utility>

#include "common/base/error.h"
#include "ipc/channel.h"
#include "ipc/child_descriptors.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "supervisor/children/syscall_name.h"

namespace baokms::supervisor {
namespace {

using ipc::MessageType;

// Returns how many restarts precede the first wait of the policy's maximum.
constexpr double RestartsBeforeLongestWait(const BackoffPolicy& policy) {
  auto count = static_cast<double>(policy.initial.size());
  for (BootTime wait = policy.initial.back() * policy.factor; wait < policy.maximum;
       wait *= policy.factor) {
    ++count;
  }
  return count;
}

// An honest supervisor stays within what the spawner accepts.
static_assert(1 + ipc::kPromptRestarts.burst + RestartsBeforeLongestWait(backoff::kChildRestart) <=
                  ipc::kSpawns.burst &&
              ipc::kPromptRestarts.per_second +
                      std::chrono::seconds(1) / backoff::kChildRestart.maximum <
                  ipc::kSpawns.per_second);

std::string SignalName(int signal) {
  constexpr std::array kNames = {std::pair(SIGKILL, "sigkill"), std::pair(SIGSEGV, "sigsegv"),
                                 std::pair(SIGABRT, "sigabrt"), std::pair(SIGBUS, "sigbus"),
                                 std::pair(SIGSYS, "sigsys")};
  for (const auto& [number, name] : kNames) {
    if (number == signal) {
      return name;
    }
  }
  return "signal_" + std::to_string(signal);
}

// Returns how a child of this process ended whose channel is closed, which the kernel does a moment
// before the process can be waited for. Nothing if it runs on.
std::optional<ExitStatus> WaitFor(pid_t pid, std::optional<std::uint32_t> refused_syscall) {
  constexpr int kAttempts = 50;
  for (int attempt = 0; pid > 0 && attempt < kAttempts; ++attempt) {
    int status = 0;
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended != 0) {
      return ended == pid ? std::optional(ExitStatusOf(status, refused_syscall)) : std::nullopt;
    }
    (void)::poll(nullptr, 0, 2);
  }
  return std::nullopt;
}

}  // namespace

ExitStatus ExitStatusOf(int wait_status, std::optional<std::uint32_t> refused_syscall) {
  ExitStatus status;
  if (WIFSIGNALED(wait_status)) {
    status.code = WTERMSIG(wait_status);
    status.kind = status.code == SIGKILL ? ExitStatus::Kind::kKilled : ExitStatus::Kind::kCrashed;
    return status;
  }
  status.code = WEXITSTATUS(wait_status);
  // The report alone proves nothing: a child could send it and continue to run.
  if (status.code == static_cast<int>(ipc::ExitCode::kRefusedSyscall)) {
    status.kind = ExitStatus::Kind::kRefusedSyscall;
    status.syscall = refused_syscall ? SyscallName(*refused_syscall) : "unknown";
  }
  return status;
}

std::string CauseOf(const ExitStatus& status) {
  switch (status.kind) {
    case ExitStatus::Kind::kExited:
      return "exit_" + std::to_string(status.code);
    case ExitStatus::Kind::kKilled:
    case ExitStatus::Kind::kCrashed:
      return SignalName(status.code);
    case ExitStatus::Kind::kUnresponsive:
      return "unresponsive";
    case ExitStatus::Kind::kRefusedSyscall:
      return "syscall_" + status.syscall;
    case ExitStatus::Kind::kNotStarted:
      return "not_started";
  }
  return "unknown";
}

// The channel to the spawner, which is a child as well: it starts and kills the others.
class Children::SpawnerChannel final : public ChildChannel {
 public:
  SpawnerChannel(EventLoop& loop, ChildEvents& events, Children& owner)
      : ChildChannel(loop, {kSpawnerKey, 1}, events), owner_(owner) {
    Accept<ipc::Spawned>(MessageType::kSpawned,
                         [this](const ipc::Spawned& spawned) { return owner_.OnSpawned(spawned); });
    Accept<ipc::Exited>(MessageType::kExited,
                        [this](const ipc::Exited& exited) { return owner_.OnExited(exited); });
  }

 private:
  Status OnHello() override {
    owner_.OnSpawnerReady();
    return {};
  }

  void OnClosed(const Error& why) override { owner_.OnSpawnerGone(why); }

  Children& owner_;
};

Result<std::unique_ptr<Children>> Children::Create(EventLoop& loop,
                                                   LogSink& log,
                                                   Metrics& metrics,
                                                   ChildEvents& events,
                                                   SpawnerProcess spawner,
                                                   ChildrenHooks hooks) {
  std::unique_ptr<Children> children(
      new Children(loop, log, metrics, std::move(hooks), spawner.pid));
  children->spawner_ = std::make_shared<SpawnerChannel>(loop, events, *children);
  BAOKMS_TRY(children->spawner_->Open(std::move(spawner.channel)));
  return children;
}

void Children::OnSpawnerReady() {
  spawner_ready_ = true;
  metrics_.ProcessUp("spawner", 1);
  for (const auto& [key, child] : children_) {
    Spawn(key);
  }
}

void Children::OnSpawnerGone(const Error& why) {
  const std::optional<ExitStatus> end = why.code() == ErrorCode::kUnavailable
                                            ? WaitFor(spawner_pid_, spawner_refused_syscall_)
                                            : std::nullopt;
  if (end) {
    TellEnd(kSpawnerKey, spawner_pid_, *end);
  } else {
    metrics_.ProcessUp(ProcessName(kSpawnerKey), 0);
    log_.Write(
        {.level = LogLevel::kError,
         .event = "process.breach",
         .fields = {{"child", ProcessName(kSpawnerKey)}, {"reason", std::string(why.what())}}});
  }
  hooks_.spawner_gone();
}

void Children::Start(std::uint32_t workers) {
  children_.try_emplace({ipc::ROLE_AUTH_AGENT, 0});
  for (std::uint32_t slot = 0; slot < workers; ++slot) {
    children_.try_emplace({ipc::ROLE_WORKER, slot});
  }
  if (spawner_ready_) {
    for (const auto& [key, child] : children_) {
      Spawn(key);
    }
  }
}

void Children::Spawn(const ChildKey& key) {
  Result<ipc::ChannelPair> pair = ipc::MakeChannelPair();
  if (!pair) {
    SpawnLater(key);  // out of descriptors; some may be free later
    return;
  }
  ipc::Spawn request;
  request.set_role(key.role);
  request.set_slot(key.slot);
  children_[key].pending_channel = std::move(pair->first);
  // Fails only if the spawner is gone, which spawner_gone reports.
  (void)spawner_->Send(MessageType::kSpawn, request, std::move(pair->second)).has_value();
}

void Children::SpawnLater(const ChildKey& key) {
  if (stopping_) {
    return;
  }
  loop_.After(children_[key].backoff.Next(), [this, key] {
    if (!stopping_ && children_[key].pid == 0) {
      Spawn(key);
    }
  });
}

Status Children::OnSpawned(const ipc::Spawned& spawned) {
  const ChildKey key{spawned.role(), spawned.slot()};
  const auto found = children_.find(key);
  if (found == children_.end() || !found->second.pending_channel.valid()) {
    return Error(ErrorCode::kProtocolViolation, "Spawned without a Spawn");
  }
  Child& child = found->second;
  UniqueFd channel = std::move(child.pending_channel);
  if (spawned.pid() <= 0) {
    Ended(key, 0,
          {.kind = ExitStatus::Kind::kNotStarted,
           .code = static_cast<int>(spawned.error()),
           .syscall = {}});
    return {};
  }
  child.pid = static_cast<pid_t>(spawned.pid());
  child.served = false;
  child.refused_syscall.reset();
  child.unresponsive = false;
  metrics_.ProcessUp(ProcessName(key), 1);
  log_.Write({.level = LogLevel::kInfo,
              .event = "process.started",
              .fields = {{"child", ProcessName(key)}, {"child_pid", spawned.pid()}}});
  hooks_.started(key, std::move(channel));
  return {};
}

Status Children::OnExited(const ipc::Exited& exited) {
  const ChildKey key{exited.role(), exited.slot()};
  const auto found = children_.find(key);
  if (found == children_.end() || found->second.pid == 0 || found->second.pid != exited.pid()) {
    return Error(ErrorCode::kProtocolViolation, "Exited for a child that does not run");
  }
  const pid_t pid = std::exchange(found->second.pid, 0);
  // Lets the messages that the child sent before its exit arrive first. Posted twice, because a
  // channel that was opened in this turn of the loop is read in the next one.
  loop_.Post([this, key, pid, status = exited.wait_status()] {
    loop_.Post([this, key, pid, status] {
      const Child& child = children_[key];
      ExitStatus exit_status = ExitStatusOf(status, child.refused_syscall);
      if (child.unresponsive && exit_status.kind == ExitStatus::Kind::kKilled) {
        exit_status.kind = ExitStatus::Kind::kUnresponsive;
      }
      Ended(key, pid, exit_status);
    });
  });
  return {};
}

void Children::Ended(const ChildKey& key, pid_t pid, const ExitStatus& exit_status) {
  Child& child = children_[key];
  TellEnd(key, pid, exit_status);
  metrics_.ProcessRestarted(ProcessName(key), CauseOf(exit_status));
  if (exit_status.kind != ExitStatus::Kind::kNotStarted) {
    hooks_.ended(key, exit_status);
    if (child.served && child.prompt_restarts.Take(BootNow())) {
      child.backoff.Reset();
    }
  }
  SpawnLater(key);
}

void Children::TellEnd(const ChildKey& key, pid_t pid, const ExitStatus& exit_status) {
  const std::string name = ProcessName(key);
  metrics_.ProcessUp(name, 0);
  if (exit_status.kind == ExitStatus::Kind::kRefusedSyscall) {
    metrics_.SeccompViolation(name, exit_status.syscall);
  } else if (exit_status.kind == ExitStatus::Kind::kCrashed && exit_status.code == SIGSYS) {
    metrics_.SeccompViolation(name, "killed");  // the kernel log alone knows which call it was
  }
  LogRecord record{.level = LogLevel::kWarn,
                   .event = "process.ended",
                   .fields = {{"child", name}, {"cause", CauseOf(exit_status)}}};
  if (pid != 0) {
    record.fields.emplace_back("child_pid", std::int64_t{pid});
  }
  log_.Write(record);
}

void Children::Kill(const ChildKey& key) {
  ipc::Kill request;
  request.set_role(key.role);
  request.set_slot(key.slot);
  (void)spawner_->Send(MessageType::kKill, request).has_value();  // as in Spawn()
}

void Children::KillUnresponsive(const ChildKey& key) {
  children_[key].unresponsive = true;
  Kill(key);
}

void Children::NoteServing(const ChildKey& key) {
  children_[key].served = true;
}

void Children::NoteRefusedSyscall(const ChildKey& key, std::uint32_t number) {
  (key == kSpawnerKey ? spawner_refused_syscall_ : children_[key].refused_syscall) = number;
}

pid_t Children::PidOf(const ChildKey& key) const {
  const auto found = children_.find(key);
  return found == children_.end() ? 0 : found->second.pid;
}

}  // namespace baokms::supervisor
