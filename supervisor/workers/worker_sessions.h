// The life cycle of the workers' channels: Hello, key tables and their acknowledgements, and the
// end. It neither chooses requests nor interprets answers.

#pragma once

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
#include "supervisor/workers/worker_channel.h"
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
class WorkerSessions final : private WorkerChannel::Owner {
 public:
  // Called on the loop's thread, in this order for one incarnation.
  class Listener {
   public:
    virtual ~Listener() = default;

    virtual void OnWorkerReady(Incarnation who, std::shared_ptr<WorkerChannel> channel) = 0;
    virtual void OnTableAcknowledged(Incarnation who, const ipc::KeyTableAnswer& answer) = 0;
    virtual Status OnWorkerAnswer(Incarnation who, AnyAnswer answer) = 0;
    virtual void OnWorkerToken(Incarnation who, const ipc::TokenStatus& status) = 0;
    // The worker accepts no more requests. Also called for a worker that was never ready.
    virtual void OnWorkerLeaving(Incarnation who) = 0;
    virtual void OnWorkerGone(Incarnation who, ExitCause cause) = 0;

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
  ~WorkerSessions() override;

  // Attaches a new process to the slot; `channel` is the supervisor's end of its pair.
  // kInvalidArgument: there is no such slot.
  Status Attach(Slot slot, UniqueFd channel);

  // Reports that the slot's process has exited. Messages that it sent before are still read before
  // it counts as gone.
  void Detached(Slot slot, ExitCause cause);

  // As WorkerPool::PublishKeyTable().
  void Publish(ipc::KeyTable table, std::function<void()> done);

  // Returns the channel of exactly this incarnation; null once that is over.
  [[nodiscard]] std::shared_ptr<WorkerChannel> ChannelOf(Incarnation who) const;

 private:
  enum class Phase : std::uint8_t {
    kEmpty,
    kExpectHello,
    kExpectTable,  // nothing acknowledged yet
    kReady,
    kClosed,  // its channel is closed; its process may still be exiting
  };

  struct Session {
    Incarnation who;
    Phase phase = Phase::kEmpty;
    std::shared_ptr<WorkerChannel> channel;
    std::list<std::uint64_t> unacknowledged;  // generations that were sent, in order
    EventLoop::TimerId timer = 0;
    std::optional<ExitCause> cause;  // set once its process has exited
    bool violation_told = false;
  };

  struct Publication {
    std::uint64_t generation = 0;
    std::function<void()> done;
  };

  Status OnWorkerHello(Incarnation from) override;
  Status OnKeyTable(Incarnation from, const ipc::KeyTableAnswer& answer) override;
  Status OnAnswer(Incarnation from, AnyAnswer answer) override;
  void OnTokenStatus(Incarnation from, const ipc::TokenStatus& status) override;
  void OnClosed(Incarnation from, const Error& why) override;

  Session* Find(Incarnation who);
  Status SendTable(Session& session);
  void Expect(Session& session, BootTime within);
  void TellViolation(Session& session, const Error& why);
  void CloseChannel(Session& session);
  void Finish(Session& session, ExitCause cause);
  void RunFinishedPublications();

  EventLoop& loop_;
  WorkerEvents& events_;
  Listener& listener_;
  SessionTimeouts limits_;
  std::vector<Session> sessions_;
  std::uint64_t last_incarnation_ = 0;
  std::optional<ipc::KeyTable> table_;
  std::vector<Publication> publications_;
};

}  // namespace baokms::supervisor
