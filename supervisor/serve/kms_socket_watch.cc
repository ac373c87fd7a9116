#include "supervisor/serve/kms_socket_watch.h"

#include "common/base/result.h"
#include "supervisor/serve/start_failure.h"

namespace baokms::supervisor {

void KmsSocketWatch::Start() {
  Check();
  next_ = loop_.After(kInterval, [this] { Start(); });
}

void KmsSocketWatch::Stop() {
  loop_.Cancel(std::exchange(next_, 0));
}

void KmsSocketWatch::Check() {
  if (LeadsTo(options_.path, socket_)) {
    BecomeReachable();
  } else if (socket_.origin == SocketOrigin::kInherited) {
    BecomeMissing(Error(ErrorCode::kFailedPrecondition,
                        "its file was removed or replaced; restart the systemd socket unit"));
  } else {
    Repair();
  }
}

void KmsSocketWatch::Repair() {
  // A file whose mode or owner was changed is still this process's own. Binding would refuse it as
  // that of a process that answers, and the filter allows no chmod.
  RemoveKmsSocket(options_.path, socket_);
  Result<KmsSocket> bound = BindKmsSocket(options_);
  if (!bound) {
    BecomeMissing(bound.error());
    return;
  }
  accept_from_(bound->listener.get());
  socket_ = std::move(*bound);
  metrics_.SocketRebound();
  log_.Write({.level = LogLevel::kWarn,
              .event = "socket.rebound",
              .fields = {{"operation", "socket.rebound"}, {"status", "ok"}}});
  BecomeReachable();
}

void KmsSocketWatch::BecomeMissing(const Error& why) {
  missing_ = true;
  metrics_.SocketMissing(1);
  std::string reason = DescribeFailure("serve new clients on the KMS socket", why);
  if (reason != reason_) {
    log_.Write({.level = LogLevel::kError,
                .event = "socket.missing",
                .fields = {{"operation", "socket.missing"}, {"reason", reason}}});
    reason_ = std::move(reason);
  }
}

void KmsSocketWatch::BecomeReachable() {
  missing_ = false;
  metrics_.SocketMissing(0);
  reason_.clear();
}

}  // namespace baokms::supervisor
