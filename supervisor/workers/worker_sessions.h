// The life of the workers' channels: Hello, key tables and their acknowledgements, the end. What a
// worker is asked, and what its answers mean, is not decided here.

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

// How long a worker may take. Generous: a busy node must not lose workers to its own slowness.
struct RosterLimits {
  BootTime hello = std::chrono::seconds(10);     // from its start to its Hello
  BootTime key_table = std::chrono::seconds(5);  // from a table to its acknowledgement
  BootTime exit = std::chrono::seconds(1);       // between the ends of channel and process
};

// Belongs to the loop's thread.
class WorkerSessions final : private WorkerChannel::Owner {
 public:
  // All on the loop's thread, in this order for one incarnation.
  class Listener {
   public:
    virtual ~Listener() = default;

    virtual void OnWorkerReady(Incarnation who, std::shared_ptr<WorkerChannel> channel) = 0;
    virtual void OnTableAcknowledged(Incarnation who, const ipc::KeyTableAnswer& answer) = 0;
    virtual Status OnWorkerAnswer(Incarnation who, AnyAnswer answer) = 0;
    virtual void OnWorkerToken(Incarnation who, const ipc::TokenStatus& status) = 0;
    // It takes nothing more; comes also for one that was never ready.
    virtual void OnWorkerLeaving(Incarnation who) = 0;
    virtual void OnWorkerGone(Incarnation who, ExitCause cause) = 0;

   protected:
    Listener() = default;
    Listener(const Listener&) = default;
    Listener& operator=(const Listener&) = default;
  };

  // Everything passed by reference must outlive the roster.
  WorkerSessions(EventLoop& loop,
                 WorkerEvents& events,
                 Listener& listener,
                 std::size_t workers,
                 RosterLimits limits);
  WorkerSessions(const WorkerSessions&) = delete;
  WorkerSessions& operator=(const WorkerSessions&) = delete;
  ~WorkerSessions() override;

  // A new process fills the slot; `channel` is the supervisor's end of its pair.
  // kInvalidArgument: there is no such slot.
  Status Attach(Slot slot, UniqueFd channel);

  // The slot's process has ended. Its last words are still read before it counts as gone.
  void Detached(Slot slot, ExitCause cause);

  // As WorkerPool::PublishKeyTable().
  void Publish(ipc::KeyTable table, std::function<void()> done);

  // The channel of this very incarnation; null when its time is over.
  [[nodiscard]] std::shared_ptr<WorkerChannel> ChannelOf(Incarnation who) const;

 private:
  enum class Phase : std::uint8_t {
    kEmpty,
    kExpectHello,
    kExpectTable,  // nothing acknowledged yet
    kReady,
    kClosed,  // its channel is over; its process may still be ending
  };

  struct Member {
    Incarnation who;
    Phase phase = Phase::kEmpty;
    std::shared_ptr<WorkerChannel> channel;
    std::list<std::uint64_t> unacknowledged;  // generations sent, in order
    EventLoop::TimerId timer = 0;
    std::optional<ExitCause> cause;  // its process has ended
    bool breach_told = false;
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

  Member* Find(Incarnation who);
  Status SendTable(Member& member);
  void Expect(Member& member, BootTime within);
  void TellBreach(Member& member, const Error& why);
  void CloseChannel(Member& member);
  void Finish(Member& member, ExitCause cause);
  void RunFinishedPublications();

  EventLoop& loop_;
  WorkerEvents& events_;
  Listener& listener_;
  RosterLimits limits_;
  std::vector<Member> members_;
  std::uint64_t last_incarnation_ = 0;
  std::optional<ipc::KeyTable> table_;
  std::vector<Publication> publications_;
};

}  // namespace baokms::supervisor
