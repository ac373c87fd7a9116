// Keeps the service manager informed (sd_notify(3)): that clients are accepted, how the service is
// doing, and that its event loop runs. A service manager that does not read is never waited for.

#pragma once

#include <functional>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "supervisor/serve/notify.h"

namespace baokms::supervisor {

// Belongs to the loop's thread.
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
