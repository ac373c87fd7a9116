// Writes lines to a descriptor whose reader may stop reading. A bounded queue and a dedicated
// thread stand between the callers and write(2), so that a full pipe, a stopped terminal or a busy
// journald blocks only that thread.
//
// The descriptor keeps the mode it was inherited with: O_NONBLOCK belongs to the open file
// description (open(2)), which a shell or the service manager shares with this process.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace baokms::supervisor {

// Thread-safe once StartThread() was called.
class LogWriter final {
 public:
  // Maximum size of the queue: about 4,000 records, a second or more at debug under full load.
  static constexpr std::size_t kMaxQueuedBytes = std::size_t{1024} * 1024;

  // How long the destructor waits for the reader to take what is queued.
  static constexpr BootTime kPatienceAtEnd = std::chrono::seconds(1);

  // Returns the line, with its newline, that tells a returning reader how many lines it missed.
  using DropNotice = std::function<std::string(std::uint64_t count)>;

  // `descriptor` remains owned by the caller and must stay open.
  LogWriter(int descriptor, DropNotice notice);

  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  ~LogWriter();

  // Starts the thread that writes from then on. Before that, Put() itself writes what the
  // descriptor takes immediately, because the process must not have a second thread while it starts
  // its children. Fails if the system has no thread left.
  Status StartThread();

  // Queues one line with its newline. Never waits for the reader; if the queue is full the line is
  // dropped and counted.
  void Put(std::string line);

  // Waits until everything is written, at most `patience`.
  void Flush(BootTime patience);

  // Returns the number of lines that were dropped or that the descriptor refused.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  struct Queue;

  // Shared with the thread, which may outlive this object if write(2) does not return.
  std::shared_ptr<Queue> queue_;
};

}  // namespace baokms::supervisor
