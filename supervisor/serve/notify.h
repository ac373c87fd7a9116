// Reports the state of the service to systemd (sd_notify(3): one datagram to $NOTIFY_SOCKET).
// Without a service manager every call does nothing.

#pragma once

#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms::supervisor {

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

}  // namespace baokms::supervisor
