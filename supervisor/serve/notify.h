// Keeps the service manager informed (sd_notify(3)): that clients are accepted, how the service is
// doing, and that its event loop runs.

#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms::supervisor {

// Sends one datagram for each report to $NOTIFY_SOCKET. Without a service manager every call does
// nothing.
class ServiceNotifier final {
 public:
  // Connects to $NOTIFY_SOCKET, reads $WATCHDOG_USEC and $WATCHDOG_PID, and unsets all three. Fails
  // if one is set but unusable.
  static Result<ServiceNotifier> FromEnvironment();

  // Sends lines such as "READY=1" or "STATUS=healthy" without waiting for the service manager.
  // Returns false if its queue is full: the caller should send whatever still applies again later.
  [[nodiscard]] bool Send(std::string_view lines) const;

  // Returns the watchdog timeout: systemd restarts the service if it receives no WATCHDOG=1 for
  // this long (sd_watchdog_enabled(3)); zero if there is no watchdog.
  [[nodiscard]] BootTime watchdog() const { return watchdog_; }

 private:
  ServiceNotifier(UniqueFd socket, BootTime watchdog)
      : socket_(std::move(socket)), watchdog_(watchdog) {}

  UniqueFd socket_;
  BootTime watchdog_;
};

// Decides when to report what. A service manager that does not read is never waited for. Belongs to
// the loop's thread.
class ServiceReporter final {
 public:
  // `status_line` returns the text for the service manager. References must outlive the reporter.
  ServiceReporter(EventLoop& loop,
                  const ServiceNotifier& notifier,
                  std::function<std::string()> status_line)
      : loop_(loop), notifier_(notifier), status_line_(std::move(status_line)) {}

  ServiceReporter(const ServiceReporter&) = delete;
  ServiceReporter& operator=(const ServiceReporter&) = delete;
  ~ServiceReporter();

  // Reports that clients are accepted. Repeated until it was taken, because systemd waits for it.
  void Ready();

  // Sends the status line if it differs from the one that was sent last.
  void Update();

  void Stopping();

 private:
  void SendReady();
  void Refresh();
  void FeedWatchdog();

  EventLoop& loop_;
  const ServiceNotifier& notifier_;
  std::function<std::string()> status_line_;
  std::string last_line_;
  EventLoop::TimerId ready_ = 0;
  EventLoop::TimerId refresh_ = 0;
  EventLoop::TimerId watchdog_ = 0;
};

}  // namespace baokms::supervisor
