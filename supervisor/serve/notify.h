// Tells systemd how the service is doing (sd_notify(3): one datagram to $NOTIFY_SOCKET). Without a
// service manager every call does nothing.

#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms::supervisor {

class ServiceNotifier final {
 public:
  // Connects to $NOTIFY_SOCKET and forgets the variable. Fails when it is set but cannot be used.
  static Result<ServiceNotifier> FromEnvironment();

  // Sends lines such as "READY=1" or "STATUS=healthy". A lost message is not an error: the next one
  // says the same.
  void Send(std::string_view lines) const;

 private:
  explicit ServiceNotifier(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
};

}  // namespace baokms::supervisor
