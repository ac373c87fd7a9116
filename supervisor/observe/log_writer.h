// Lines on their way to a descriptor that somebody else reads and may stop reading. A bounded queue
// and a thread of its own stand between the callers and write(2), so that a full pipe, a stopped
// terminal or a busy journald holds up nobody but that thread.
//
// The descriptor stays in the mode it was inherited in: O_NONBLOCK belongs to the open file
// description (open(2)), which a shell or the service manager shares with us.

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
  // What may wait for the reader: some 4,000 records, a second or more at debug under full load.
  static constexpr std::size_t kMaxQueuedBytes = std::size_t{1024} * 1024;

  // How long the destructor waits for the reader to take what is queued.
  static constexpr BootTime kPatienceAtEnd = std::chrono::seconds(1);

  // The line, with its newline, that tells a reader who is back how many lines it missed.
  using DropNotice = std::function<std::string(std::uint64_t count)>;

  // `descriptor` stays the caller's and must remain open.
  LogWriter(int descriptor, DropNotice notice);

  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  ~LogWriter();

  // From here on a thread writes. Before, Put() writes by itself what the descriptor takes at once,
  // because the process must not have a second thread while it starts its children. Fails when the
  // system has no thread left.
  Status StartThread();

  // Queues one line with its newline. Never waits for the reader; a line that finds the queue full
  // is dropped and counted.
  void Put(std::string line);

  // Waits until everything is written, `patience` at most.
  void Flush(BootTime patience);

  // Lines that were dropped so far, or that the descriptor refused.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  struct Queue;

  // Shared with the thread, which may outlive this object when write(2) does not return.
  std::shared_ptr<Queue> queue_;
};

}  // namespace baokms::supervisor
