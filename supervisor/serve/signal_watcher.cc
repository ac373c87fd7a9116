#include "supervisor/serve/signal_watcher.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <exception>
#include <utility>

#include "common/base/error.h"

namespace baokms::supervisor {
namespace {

Result<UniqueFd> BlockSignals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    ::sigaddset(&signals, signal);
  }
  BAOKMS_TRY(CheckSyscall(::sigprocmask(SIG_BLOCK, &signals, nullptr), "sigprocmask"));
  UniqueFd descriptor(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor.valid()) {
    return Error(ErrorCode::kSystem, "signalfd", errno);
  }
  return descriptor;
}

}  // namespace

Result<std::unique_ptr<SignalWatcher>> SignalWatcher::Create(Hooks hooks) {
  UniqueFd signals = BAOKMS_TRY(BlockSignals());
  auto loop = BAOKMS_TRY(EventLoop::Create());
  std::unique_ptr<SignalWatcher> watcher(
      new SignalWatcher(std::move(loop), std::move(signals), std::move(hooks)));
  SignalWatcher& self = *watcher;
  BAOKMS_TRY(
      self.loop_->Watch(self.signals_.get(), EPOLLIN, [&self](std::uint32_t) { self.OnReady(); }));
  try {
    // Fails only if epoll_wait(2) does; the process can still be killed then.
    self.thread_ = std::thread([&self] { (void)self.loop_->Run().has_value(); });
  } catch (const std::exception&) {
    return Error(ErrorCode::kResourceExhausted, "start the thread that waits for signals");
  }
  return watcher;
}

SignalWatcher::~SignalWatcher() {
  if (thread_.joinable()) {
    loop_->Stop();
    thread_.join();
  }
}

void SignalWatcher::OnReady() {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) {
    return;
  }
  if (info.ssi_signo != SIGHUP) {
    BeginStop();
  }
  hooks_.on_signal(static_cast<int>(info.ssi_signo));
}

void SignalWatcher::BeginStop() {
  loop_->Post([this] {
    if (!std::exchange(limited_, true)) {
      loop_->After(hooks_.stop_limit, hooks_.on_overdue);
    }
  });
}

}  // namespace baokms::supervisor
