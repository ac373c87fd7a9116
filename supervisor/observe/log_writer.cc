#include "supervisor/observe/log_writer.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/error.h"

namespace baokms::supervisor {
namespace {

// How often a thread whose reader has stopped reading checks whether it must end.
constexpr int kBlockedMs = 100;

enum class Progress : std::uint8_t { kDone, kBlocked, kFailed };

// Writes `line` from `offset` on, waiting up to `patience_ms` for room each time. A pipe that
// poll(2) reports as writable takes PIPE_BUF bytes without blocking (pipe(7)).
Progress WriteOn(int descriptor, const std::string& line, std::size_t& offset, int patience_ms) {
  while (offset < line.size()) {
    pollfd ready{.fd = descriptor, .events = POLLOUT, .revents = 0};
    const int polled = ::poll(&ready, 1, patience_ms);
    if (polled == 0) {
      return Progress::kBlocked;
    }
    const std::size_t size = std::min<std::size_t>(line.size() - offset, PIPE_BUF);
    const ssize_t written = polled < 0 ? -1 : ::write(descriptor, line.data() + offset, size);
    if (written >= 0) {
      offset += static_cast<std::size_t>(written);
    } else if (errno == EAGAIN) {
      return Progress::kBlocked;
    } else if (errno != EINTR) {
      return Progress::kFailed;
    }
  }
  return Progress::kDone;
}

}  // namespace

struct LogWriter::Queue {
  Queue(int to, DropNotice drop_notice) : descriptor(to), notice(std::move(drop_notice)) {}

  const int descriptor;
  const DropNotice notice;
  mutable std::mutex mutex;
  std::condition_variable changed;
  // All members below are guarded by mutex. The front line is not modified while it is being
  // written.
  std::deque<std::string> lines;
  std::size_t bytes = 0;
  std::size_t offset = 0;  // number of bytes of the front line that are written
  std::uint64_t dropped = 0;
  std::uint64_t untold = 0;  // lines dropped since the last notice
  bool has_thread = false;
  bool ending = false;

  void Drop() {
    ++dropped;
    ++untold;
  }

  // Removes the front line. After a success the reader is back and receives a notice of what it
  // missed.
  void Pop(Progress progress) {
    bytes -= lines.front().size();
    lines.pop_front();
    offset = 0;
    if (progress == Progress::kFailed) {
      Drop();
    } else if (untold > 0) {
      lines.push_front(notice(std::exchange(untold, 0)));
      bytes += lines.front().size();
    }
  }

  // Used without a thread: the caller, who holds the lock, writes what the descriptor takes within
  // `patience`.
  void WriteNow(std::chrono::milliseconds patience) {
    Progress progress = Progress::kDone;
    while (!lines.empty() && progress != Progress::kBlocked) {
      progress = WriteOn(descriptor, lines.front(), offset, static_cast<int>(patience.count()));
      if (progress != Progress::kBlocked) {
        Pop(progress);
      }
    }
  }

  void Serve() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return ending || !lines.empty(); });
      if (lines.empty()) {
        break;
      }
      const std::string& front = lines.front();  // a deque does not move its elements when it grows
      lock.unlock();
      const Progress progress = WriteOn(descriptor, front, offset, kBlockedMs);
      lock.lock();
      if (progress != Progress::kBlocked) {
        Pop(progress);
        changed.notify_all();
      } else if (ending) {
        break;
      } else {
        // For a descriptor that another process set to non-blocking mode: it refuses immediately.
        changed.wait_for(lock, std::chrono::milliseconds(kBlockedMs), [this] { return ending; });
      }
    }
    has_thread = false;
    changed.notify_all();
  }
};

LogWriter::LogWriter(int descriptor, DropNotice notice)
    : queue_(std::make_shared<Queue>(descriptor, std::move(notice))) {
}

LogWriter::~LogWriter() {
  Flush(kPatienceAtEnd);
  std::unique_lock lock(queue_->mutex);
  queue_->ending = true;
  queue_->changed.notify_all();
  // A thread inside write(2) cannot be joined; the process ends without waiting for it.
  queue_->changed.wait_for(lock, std::chrono::milliseconds(2 * kBlockedMs),
                           [this] { return !queue_->has_thread; });
}

Status LogWriter::StartThread() {
  const std::lock_guard lock(queue_->mutex);
  if (queue_->has_thread) {
    return {};
  }
  try {
    std::thread([queue = queue_] { queue->Serve(); }).detach();
  } catch (const std::exception&) {
    return Error(ErrorCode::kResourceExhausted, "start the thread that writes the log");
  }
  queue_->has_thread = true;
  return {};
}

void LogWriter::Put(std::string line) {
  const std::lock_guard lock(queue_->mutex);
  if (queue_->bytes + line.size() > kMaxQueuedBytes) {
    queue_->Drop();
    return;
  }
  queue_->bytes += line.size();
  queue_->lines.push_back(std::move(line));
  if (queue_->has_thread) {
    queue_->changed.notify_all();
  } else {
    queue_->WriteNow(std::chrono::milliseconds(0));
  }
}

void LogWriter::Flush(BootTime patience) {
  std::unique_lock lock(queue_->mutex);
  if (queue_->has_thread) {
    queue_->changed.wait_for(lock, patience, [this] { return queue_->lines.empty(); });
  } else {
    queue_->WriteNow(std::chrono::duration_cast<std::chrono::milliseconds>(patience));
  }
}

std::uint64_t LogWriter::dropped() const {
  const std::lock_guard lock(queue_->mutex);
  return queue_->dropped;
}

}  // namespace baokms::supervisor
