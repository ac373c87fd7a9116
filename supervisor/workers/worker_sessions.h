// The life cycle of the workers' channels: Hello, key tables and their acknowledgements, and the
// end. It neither chooses requests nor interprets answers.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/child_channel.h"
#include "supervisor/workers/pending_request.h"
#include "supervisor/workers/worker_events.h"

namespace baokms::supervisor {

// How long a worker may take. Generous, so that a busy node does not lose workers to its own
// slowness.
struct SessionTimeouts {
  BootTime hello = std::chrono::seconds(10);     // from the start of its process to its Hello
  BootTime key_table = std::chrono::seconds(5);  // from a table to its acknowledgement
  BootTime exit = std::chrono::seconds(1);       // between the channel's end and the process's exit
};

// Belongs to the loop's thread.
class WorkerSessions final {
 public:
  // Called on the loop's thread, in this order for one process.
  class Listener {
   public:
    virtual ~Listener() = default;

    virtual void OnWorkerReady(const ChildProcess& who, std::shared_ptr<ChildChannel> channel) = 0;
    virtual void OnTableAcknowledged(const ChildProcess& who,
                                     const ipc::KeyTableAnswer& answer) = 0;
    virtual Status OnWorkerAnswer(const ChildProcess& who, AnyAnswer answer) = 0;
    // A sign of life.
    virtual void OnWorkerPong(const ChildProcess& who) = 0;
    virtual void OnWorkerToken(const ChildProcess& who, const ipc::TokenStatus& status) = 0;
    // The worker accepts no more requests. Also called for a worker that was never ready.
    virtual void OnWorkerLeaving(const ChildProcess& who) = 0;
    virtual void OnWorkerGone(const ChildProcess& who, WorkerEnd end) = 0;

   protected:
    Listener() = default;
    Listener(const Listener&) = default;
    Listener& operator=(const Listener&) = default;
  };

  // Everything passed by reference must outlive the object.
  WorkerSessions(EventLoop& loop,
                 WorkerEvents& events,
                 Listener& listener,
                 std::size_t workers,
                 SessionTimeouts limits);
  WorkerSessions(const WorkerSessions&) = delete;
  WorkerSessions& operator=(const WorkerSessions&) = delete;
  ~WorkerSessions();

  // Attaches a new process to the slot; `channel` is the supervisor's end of its pair.
  // kInvalidArgument: there is no such slot.
  Status Attach(Slot slot, UniqueFd channel);

  // Reports that the slot's process has exited. Messages that it sent before are still read before
  // it counts as gone.
  void Detached(Slot slot, WorkerEnd end);

  // Closes the channel of this process and reports it as a violation. Does nothing once it is over.
  void Reject(const ChildProcess& who, const Error& why);

  // As WorkerPool::PublishKeyTable().
  void Publish(ipc::KeyTable table, std::function<void()> done);

  // Returns the channel of exactly this process; null once that is over.
  [[nodiscard]] std::shared_ptr<ChildChannel> ChannelOf(const ChildProcess& who);

 private:
  class Channel;

  enum class Phase : std::uint8_t {
    kEmpty,
    kExpectHello,
    kExpectTable,  // nothing acknowledged yet
    kReady,
    kClosed,  // its channel is closed; its process may still be exiting
  };

  struct Session {
    ChildProcess who;
    Phase phase = Phase::kEmpty;
    std::shared_ptr<ChildChannel> channel;
    std::list<std::uint64_t> unacknowledged;  // generations that were sent, in order
    EventLoop::TimerId timer = 0;
    std::optional<WorkerEnd> end;  // set once its process has exited
    bool violation_told = false;
  };

  struct Publication {
    std::uint64_t generation = 0;
    std::function<void()> done;
  };

  // What the channels report. A returned error is a protocol violation by the worker and leads to
  // OnClosed(), which is called once; with kUnavailable the worker closed its end, so its process
  // has most likely exited.
  Status OnHello(const ChildProcess& from);
  Status OnKeyTable(const ChildProcess& from, const ipc::KeyTableAnswer& answer);
  Status OnAnswer(const ChildProcess& from, AnyAnswer answer);
  void OnPong(const ChildProcess& from);
  void OnTokenStatus(const ChildProcess& from, const ipc::TokenStatus& status);
  void OnClosed(const ChildProcess& from, const Error& why);

  Session* Find(const ChildProcess& who);
  Status SendTable(Session& session);
  void Expect(Session& session, BootTime within);
  void TellViolation(Session& session, const Error& why);
  void CloseChannel(Session& session);
  void Finish(Session& session, WorkerEnd end);
  void RunFinishedPublications();

  EventLoop& loop_;
  WorkerEvents& events_;
  Listener& listener_;
  SessionTimeouts limits_;
  std::vector<Session> sessions_;
  std::uint64_t last_number_ = 0;
  std::optional<ipc::KeyTable> table_;
  std::vector<Publication> publications_;
};

}  // namespace baokms::supervisor
