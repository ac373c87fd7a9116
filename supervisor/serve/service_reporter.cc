#include "supervisor/serve/service_reporter.h"

#include <chrono>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/event_loop.h"

namespace baokms::supervisor {
namespace {

// Interval between attempts until the service manager has taken READY=1.
constexpr BootTime kReadyRetry = std::chrono::milliseconds(500);

// Maximum age of the status line: workers come and go without a change of the key's status.
constexpr BootTime kRefreshInterval = std::chrono::seconds(10);

}  // namespace

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
    ready_ = loop_.After(kReadyRetry, [this] { SendReady(); });
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
