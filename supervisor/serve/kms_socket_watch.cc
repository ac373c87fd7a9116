#include "supervisor/serve/kms_socket_watch.h"

#include <string>
#include <utility>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "supervisor/serve/kms_socket.h"
#include "supervisor/serve/start_failure.h"

namespace baokms::supervisor {

void KmsSocketWatch::Start() {
  Check();
  next_ = parts_.loop.After(kInterval, [this] { Start(); });
}

void KmsSocketWatch::Stop() {
  parts_.loop.Cancel(std::exchange(next_, 0));
}

void KmsSocketWatch::Check() {
  if (LeadsTo(options_.path, parts_.socket)) {
    BecomeReachable();
  } else if (parts_.socket.origin == SocketOrigin::kInherited) {
    BecomeMissing(Error(ErrorCode::kFailedPrecondition,
                        "its file was removed or replaced; restart the systemd socket unit"));
  } else {
    Repair();
  }
}

void KmsSocketWatch::Repair() {
  Result<KmsSocket> bound = BindKmsSocket(options_);
  if (!bound) {
    BecomeMissing(bound.error());
    return;
  }
  accept_from_(bound->listener.get());
  parts_.socket = std::move(*bound);
  parts_.metrics.SocketRebound();
  parts_.log.Write({.level = LogLevel::kWarn,
                    .event = "socket.rebound",
                    .fields = {{"operation", "socket.rebound"}, {"status", "ok"}}});
  BecomeReachable();
}

void KmsSocketWatch::BecomeMissing(const Error& why) {
  missing_ = true;
  parts_.metrics.SocketMissing(1);
  std::string reason = DescribeFailure("serve new clients on the KMS socket", why);
  if (reason != reason_) {
    parts_.log.Write({.level = LogLevel::kError,
                      .event = "socket.missing",
                      .fields = {{"operation", "socket.missing"}, {"reason", reason}}});
    reason_ = std::move(reason);
  }
}

void KmsSocketWatch::BecomeReachable() {
  missing_ = false;
  parts_.metrics.SocketMissing(0);
  reason_.clear();
}

}  // namespace baokms::supervisor
