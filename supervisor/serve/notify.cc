#include "supervisor/serve/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <system_error>

#include "common/base/backoff.h"
#include "common/base/error.h"

namespace baokms::supervisor {

namespace {

// Maximum age of the status line: workers come and go without a change of the key's status.
constexpr BootTime kRefreshInterval = std::chrono::seconds(10);

// Takes the variable out of the environment, so that no child inherits it; empty if it is not set.
std::optional<std::string> Take(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) {
    return std::nullopt;
  }
  std::string taken(text);
  (void)::unsetenv(variable);
  return taken;
}

Result<BootTime> TakeWatchdog() {
  const std::optional<std::string> pid = Take("WATCHDOG_PID");
  const std::optional<std::string> interval = Take("WATCHDOG_USEC");
  if (!interval || (pid && *pid != std::to_string(::getpid()))) {
    return BootTime::zero();
  }
  std::int64_t microseconds = 0;
  const char* end = interval->data() + interval->size();
  const auto [rest, error] = std::from_chars(interval->data(), end, microseconds);
  if (error != std::errc() || rest != end || microseconds < 1'000'000 ||
      microseconds > std::chrono::microseconds(std::chrono::hours(24)).count()) {
    return Error(ErrorCode::kInvalidArgument, "WATCHDOG_USEC is not between a second and a day");
  }
  return BootTime(std::chrono::microseconds(microseconds));
}

}  // namespace

Result<ServiceNotifier> ServiceNotifier::FromEnvironment() {
  const BootTime watchdog = BAOKMS_TRY(TakeWatchdog());
  const std::optional<std::string> name = Take("NOTIFY_SOCKET");
  if (!name) {
    return ServiceNotifier(UniqueFd(), BootTime::zero());
  }
  const std::string& path = *name;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() < 2 || path.size() >= sizeof address.sun_path ||
      (path[0] != '/' && path[0] != '@')) {
    return Error(ErrorCode::kInvalidArgument, "NOTIFY_SOCKET is not a socket address");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') {
    address.sun_path[0] = '\0';
  }
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (!socket.valid() ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    return Error(ErrorCode::kSystem, "connect to NOTIFY_SOCKET", errno);
  }
  return ServiceNotifier(std::move(socket), watchdog);
}

bool ServiceNotifier::Send(std::string_view lines) const {
  return !socket_.valid() || ::send(socket_.get(), lines.data(), lines.size(), MSG_NOSIGNAL) >= 0 ||
         (errno != EAGAIN && errno != ENOBUFS);
}

ServiceReporter::~ServiceReporter() {
  for (const EventLoop::TimerId timer : {ready_, refresh_, watchdog_}) {
    loop_.Cancel(timer);
  }
}

void ServiceReporter::Ready() {
  SendReady();
  FeedWatchdog();
  Refresh();
}

void ServiceReporter::SendReady() {
  if (!notifier_.Send("READY=1\nSTATUS=accepting clients, key not verified yet")) {
    ready_ = loop_.After(backoff::kReadyAgain, [this] { SendReady(); });
  }
}

void ServiceReporter::Refresh() {
  Update();
  refresh_ = loop_.After(kRefreshInterval, [this] { Refresh(); });
}

// Runs on the loop, whose standstill systemd must notice.
void ServiceReporter::FeedWatchdog() {
  const BootTime within = notifier_.watchdog();
  if (within != BootTime::zero()) {
    (void)notifier_.Send("WATCHDOG=1");  // the next one counts as well
    watchdog_ = loop_.After(within / 2, [this] { FeedWatchdog(); });
  }
}

void ServiceReporter::Update() {
  std::string line = status_line_();
  if (line != last_line_ && notifier_.Send("STATUS=" + line)) {
    last_line_ = std::move(line);
  }
}

void ServiceReporter::Stopping() {
  (void)notifier_.Send("STOPPING=1");  // systemd requested the stop or soon sees the exit
}

}  // namespace baokms::supervisor
