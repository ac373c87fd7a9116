// Tells systemd how the service is doing (sd_notify(3): one datagram to $NOTIFY_SOCKET). Without a
// service manager every call does nothing.

#pragma once

#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms::supervisor {

class ServiceNotifier final {
 public:
  // Connects to $NOTIFY_SOCKET and reads $WATCHDOG_USEC and $WATCHDOG_PID; forgets all three. Fails
  // when one is set but cannot be used.
  static Result<ServiceNotifier> FromEnvironment();

  // Sends lines such as "READY=1" or "STATUS=healthy" without waiting for the service manager.
  // False when its queue is full: send what still holds again later.
  [[nodiscard]] bool Send(std::string_view lines) const;

  // systemd restarts the service when it is not told WATCHDOG=1 for this long
  // (sd_watchdog_enabled(3)); zero: it does not watch.
  [[nodiscard]] BootTime watchdog() const { return watchdog_; }

 private:
  ServiceNotifier(UniqueFd socket, BootTime watchdog)
      : socket_(std::move(socket)), watchdog_(watchdog) {}

  UniqueFd socket_;
  BootTime watchdog_;
};

}  // namespace baokms::supervisor
