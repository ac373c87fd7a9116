#include "supervisor/serve/dry_start.h"

#include <sys/epoll.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/dispatch.h"
#include "ipc/link.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/children.h"
#include "supervisor/children/process_facts.h"
#include "supervisor/observe/prometheus_metrics.h"
#include "supervisor/serve/bootstrap.h"
#include "supervisor/serve/isolation_body.h"
#include "supervisor/serve/kms_socket.h"
#include "supervisor/serve/own_landlock.h"
#include "supervisor/serve/sandbox.h"

namespace baokms::supervisor {
namespace {

using ipc::MessageType;

// Maximum time for the start of all processes on a busy machine.
constexpr BootTime kStartLimit = std::chrono::seconds(15);

constexpr std::uint32_t kAnyPhase = ipc::kPhaseHello | ipc::kPhaseServing;

class NoLog final : public LogSink {
 public:
  void Write(const LogRecord& /*record*/) override {}

  [[nodiscard]] bool Enabled(LogLevel /*level*/) const override { return false; }
};

// The supervisor of a dry start. It answers no child's Hello: so the agent reads no credential and
// loads no module, and a worker gets no token.
class DrySupervisor final : private ChildEvents {
 public:
  explicit DrySupervisor(const ServeOptions& options) : options_(options) {}

  // Returns once every process has reported.
  Started<IsolationReport> Start();

  // Keeps the processes until the other end of the pipe is closed.
  void HoldUntilClosed(int pipe);

 private:
  // What a child sends before its Hello is answered.
  struct Child {
    ipc::Dispatch table;
    std::unique_ptr<ipc::Link> link{};
  };

  [[nodiscard]] std::size_t ExpectedProcesses() const {
    return static_cast<std::size_t>(options_.config.isolation.workers) + 3;
  }

  void OnStarted(const ChildKey& key, UniqueFd channel);
  void Accept(const ChildProcess& child, ipc::Dispatch& table);
  void Fail(StartFailure failure);

  void OnProcDescriptor(const ChildProcess& from,
                        ipc::ProcDescriptor::Kind kind,
                        UniqueFd descriptor) override {
    processes_.Put(ProcessName(from.key), kind, std::move(descriptor));
  }

  void OnConfinement(const ChildProcess& from, const ipc::ConfinementReport& report) override;
  void OnStartFailure(const ChildProcess& from, const ipc::StartFailure& failure) override;

  void OnLogRecord(const ChildProcess& /*from*/, const ipc::LogRecord& /*record*/) override {}

  void OnSyscallRefused(const ChildProcess& /*from*/, std::uint32_t /*number*/) override {}

  Status OnConnectRequest(const ChildProcess& /*from*/,
                          const ipc::ConnectRequest& /*request*/) override {
    return {};
  }

  void OnConnectReport(const ChildProcess& /*from*/,
                       const ipc::ConnectReport& /*report*/) override {}

  void OnCall(const ChildProcess& /*from*/, const ipc::OpenBaoCall& /*call*/) override {}

  const ServeOptions& options_;
  NoLog log_;
  ProcessTable processes_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<PrometheusMetrics> metrics_;
  std::unique_ptr<Children> children_;
  std::map<ChildKey, Child> talking_;
  std::optional<StartFailure> failure_;
};

Started<IsolationReport> DrySupervisor::Start() {
  BootstrapResult bootstrap = BAOKMS_TRY(Bootstrap(options_));
  IsolationFacts& isolation = bootstrap.isolation;
  isolation.landlock = BAOKMS_TRY(ConfineSupervisor(
      options_.config.isolation.landlock,
      RulesOfSupervisor(options_, bootstrap.endpoints, SocketOrigin::kBound, isolation.level)));
  isolation.credential_readable = CanReadCredential(options_.config);
  loop_ = BAOKMS_TRY(Step("create the event loop", EventLoop::Create()));
  metrics_ = PrometheusMetrics::Create(options_.build, "none", "none");
  processes_.AddSelf();
  if (isolation.level == IsolationLevel::kSeparateUsers) {
    processes_.Permit(ProcessName(kSpawnerKey), kUserCapabilities);
  }
  children_ = BAOKMS_TRY(Step(
      "watch the spawner",
      Children::Create(*loop_, log_, *metrics_, *this, std::move(bootstrap.spawner),
                       {.started = [this](const ChildKey& key,
                                          UniqueFd channel) { OnStarted(key, std::move(channel)); },
                        .ended =
                            [this](const ChildKey& key, const ExitStatus& exit_status) {
                              Fail({.line = ProcessName(key) + " ended: " + CauseOf(exit_status)});
                            },
                        .spawner_gone =
                            [this] {
                              Fail({.line = "the spawner ended"});
                            }})));
  children_->Start(static_cast<std::uint32_t>(options_.config.isolation.workers));
  BAOKMS_TRY(
      Step("enter the system call filter", EnterSupervisorSandbox(ListenerRights::kBindKmsSocket)));
  processes_.ReportSelf({.filter = kSupervisorFilterName,
                         .landlock_abi = isolation.landlock.abi,
                         .refused_syscall = kRefusedToSupervisor});
  loop_->After(kStartLimit, [this] { Fail({.line = "the processes do not report in time"}); });
  if (!loop_->Run()) {
    return StartFailure{.line = "the event loop failed"};
  }
  if (failure_) {
    return *failure_;
  }
  return IsolationReport{.decided = isolation,
                         .inherited_filters = processes_.inherited_filters(),
                         .processes = processes_.Read()};
}

void DrySupervisor::HoldUntilClosed(int pipe) {
  children_->StopRestarting();
  if (loop_->Watch(pipe, EPOLLIN | EPOLLHUP, [this](std::uint32_t) { loop_->Stop(); })) {
    (void)loop_->Run().has_value();
  }
}

void DrySupervisor::OnStarted(const ChildKey& key, UniqueFd channel) {
  Child& child = talking_[key];
  Accept({key, 1}, child.table);
  auto link = ipc::Link::Create(
      *loop_, std::move(channel), ipc::LinkKind::kGeneral,
      [&child](ipc::Datagram datagram) {
        return child.table.Deliver(std::move(datagram), ipc::kPhaseHello);
      },
      [this, key](const Error& why) {
        if (why.code() != ErrorCode::kUnavailable) {
          Fail({.line = ProcessName(key) + " broke the protocol: " + why.Describe()});
        }
      });
  if (link) {
    child.link = std::move(*link);
  } else {
    Fail({.line = DescribeFailure("talk to " + ProcessName(key), link.error())});
  }
}

void DrySupervisor::Accept(const ChildProcess& child, ipc::Dispatch& table) {
  const auto ignore = [](const auto&) -> Status {
    return {};
  };
  table.Add<ipc::Hello>(MessageType::kHello, kAnyPhase, ignore);
  table.Add<ipc::LogRecord>(MessageType::kLogRecord, kAnyPhase, ignore);
  table.Add<ipc::TokenStatus>(MessageType::kTokenStatus, kAnyPhase, ignore);
  table.AddWithDescriptor<ipc::ProcDescriptor>(
      MessageType::kProcDescriptor, kAnyPhase, ipc::Descriptor::kRequired,
      [this, child](const ipc::ProcDescriptor& message, UniqueFd descriptor) -> Status {
        OnProcDescriptor(child, message.kind(), std::move(descriptor));
        return {};
      });
  table.Add<ipc::ConfinementReport>(MessageType::kConfinementReport, kAnyPhase,
                                    [this, child](const ipc::ConfinementReport& report) -> Status {
                                      OnConfinement(child, report);
                                      return {};
                                    });
  table.Add<ipc::StartFailure>(MessageType::kStartFailure, kAnyPhase,
                               [this, child](const ipc::StartFailure& failure) -> Status {
                                 OnStartFailure(child, failure);
                                 return {};
                               });
}

void DrySupervisor::OnConfinement(const ChildProcess& from, const ipc::ConfinementReport& report) {
  processes_.Report(ProcessName(from.key), {.filter = report.filter_name(),
                                            .landlock_abi = report.landlock_abi(),
                                            .refused_syscall = report.refused_syscall()});
  const std::vector<ProcessFacts> facts = processes_.Read();
  if (facts.size() == ExpectedProcesses() &&
      std::ranges::all_of(facts,
                          [](const ProcessFacts& each) { return each.reported.has_value(); })) {
    loop_->Stop();
  }
}

void DrySupervisor::OnStartFailure(const ChildProcess& from, const ipc::StartFailure& failure) {
  const bool set_up = failure.code() == static_cast<std::uint32_t>(ErrorCode::kInvalidArgument);
  Fail({.exit_code = set_up ? kConfigurationFailed : kRuntimeFailed,
        .line = ProcessName(from.key) + " cannot start: " + failure.step()});
}

// The first failure is the cause of those that follow.
void DrySupervisor::Fail(StartFailure failure) {
  if (!failure_) {
    failure_ = std::move(failure);
  }
  loop_->Stop();
}

void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written <= 0) {
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string ReadAll(int fd) {
  std::string text;
  std::array<char, 4096> chunk{};
  for (;;) {
    const ssize_t size = ::read(fd, chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size <= 0) {
      return text;
    }
    text.append(chunk.data(), static_cast<std::size_t>(size));
  }
}

// Runs in the forked process. Reports the isolation or the failure on `out`; the exit code tells
// which of them it is.
[[noreturn]] void Supervise(const ServeOptions& options, UniqueFd out, const UniqueFd& hold) {
  DrySupervisor supervisor(options);
  Started<IsolationReport> started = supervisor.Start();
  if (!started) {
    WriteAll(out.get(), started.error().line);
    ::_exit(started.error().exit_code);
  }
  WriteAll(out.get(), IsolationBody(std::move(started).value()).dump());
  out.reset();
  supervisor.HoldUntilClosed(hold.get());
  ::_exit(0);
}

}  // namespace

std::optional<StartFailure> DryStart(const ServeOptions& options, const InspectTree& inspect) {
  std::array<int, 2> report{};
  std::array<int, 2> hold{};
  if (::pipe2(report.data(), O_CLOEXEC) != 0 || ::pipe2(hold.data(), O_CLOEXEC) != 0) {
    return StartFailure{.line = "cannot make a pipe"};
  }
  const UniqueFd in(report[0]);
  UniqueFd out(report[1]);
  UniqueFd held(hold[0]);
  UniqueFd holding(hold[1]);
  const pid_t supervisor = ::fork();
  if (supervisor == 0) {
    holding.reset();
    Supervise(options, std::move(out), held);
  }
  out.reset();
  held.reset();
  if (supervisor < 0) {
    return StartFailure{.line = "cannot fork"};
  }
  const std::string text = ReadAll(in.get());
  if (text.starts_with('{')) {
    inspect(supervisor, text);
  }
  holding.reset();
  int status = 0;
  if (::waitpid(supervisor, &status, 0) == supervisor && WIFEXITED(status) &&
      WEXITSTATUS(status) == 0) {
    return std::nullopt;
  }
  return StartFailure{.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : kRuntimeFailed,
                      .line = text};
}

}  // namespace baokms::supervisor
