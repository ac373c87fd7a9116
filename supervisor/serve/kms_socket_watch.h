// Detects that clients can no longer reach the KMS socket because its file or directory was removed
// or replaced, or because other users may connect to the file, and repairs it where permitted. Open
// connections are not affected.

#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "supervisor/observe/metrics.h"
#include "supervisor/serve/kms_socket.h"

namespace baokms::supervisor {

// Belongs to the loop's thread.
class KmsSocketWatch final {
 public:
  // Maximum time until a lost socket is detected.
  static constexpr BootTime kInterval = std::chrono::seconds(2);

  // References must outlive the watch. `socket` is replaced when it was bound again. `accept_from`
  // receives the listener that replaces the previous one, which is closed afterwards.
  KmsSocketWatch(EventLoop& loop,
                 LogSink& log,
                 Metrics& metrics,
                 KmsSocket& socket,
                 KmsSocketOptions options,
                 std::function<void(int listener)> accept_from)
      : loop_(loop),
        log_(log),
        metrics_(metrics),
        socket_(socket),
        options_(std::move(options)),
        accept_from_(std::move(accept_from)) {}

  KmsSocketWatch(const KmsSocketWatch&) = delete;
  KmsSocketWatch& operator=(const KmsSocketWatch&) = delete;

  ~KmsSocketWatch() { Stop(); }

  // Checks the path now and every kInterval until Stop().
  void Start();
  void Stop();

  // Returns whether clients cannot connect. Callable from any thread.
  [[nodiscard]] bool missing() const { return missing_; }

 private:
  void Check();
  void Repair();
  void BecomeMissing(const Error& why);
  void BecomeReachable();

  EventLoop& loop_;
  LogSink& log_;
  Metrics& metrics_;
  KmsSocket& socket_;
  KmsSocketOptions options_;
  std::function<void(int listener)> accept_from_;
  EventLoop::TimerId next_ = 0;
  std::atomic<bool> missing_{false};
  std::string reason_;  // the last one logged; empty while the socket is reachable
};

}  // namespace baokms::supervisor
