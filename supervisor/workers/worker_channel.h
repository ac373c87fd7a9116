// The channel to one worker process: what it may say, in which phase, and in what form. Anything
// else closes the channel for good; nothing is repaired.

#pragma once

#include <memory>
#include <set>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/dispatch.h"
#include "ipc/link.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/workers/operation.h"
#include "supervisor/workers/worker_events.h"

namespace baokms::supervisor {

// Send() may be called from any thread and the last owner may be on any thread; everything else
// belongs to the loop's thread.
class WorkerChannel final {
 public:
  // Runs on the loop's thread. An error is a breach by the worker and ends in OnClosed().
  class Owner {
   public:
    virtual ~Owner() = default;

    virtual Status OnHello(Incarnation from) = 0;
    virtual Status OnKeyTable(Incarnation from, const ipc::KeyTableAnswer& answer) = 0;
    virtual Status OnAnswer(Incarnation from, AnyAnswer answer) = 0;
    virtual void OnTokenStatus(Incarnation from, const ipc::TokenStatus& status) = 0;
    // Once. kUnavailable: the worker closed its end, so its process has most likely ended.
    virtual void OnClosed(Incarnation from, const Error& why) = 0;

   protected:
    Owner() = default;
    Owner(const Owner&) = default;
    Owner& operator=(const Owner&) = default;
  };

  // `loop`, `owner` and `events` must outlive the channel.
  static Result<std::shared_ptr<WorkerChannel>> Create(
      EventLoop& loop, UniqueFd channel, Incarnation who, Owner& owner, WorkerEvents& events);

  WorkerChannel(const WorkerChannel&) = delete;
  WorkerChannel& operator=(const WorkerChannel&) = delete;
  // The link itself is destroyed by the loop's thread a moment later.
  ~WorkerChannel();

  // As ipc::Link::Send().
  Status Send(ipc::MessageType type, const google::protobuf::MessageLite& message);
  Status Send(ipc::MessageType type,
              const google::protobuf::MessageLite& message,
              UniqueFd attached);

  // Which messages are taken in which phase.
  [[nodiscard]] std::string RulesAsText() const { return dispatch_.ToText(); }

 private:
  WorkerChannel(EventLoop& loop, Incarnation who, Owner& owner, WorkerEvents& events)
      : loop_(loop), who_(who), owner_(owner), events_(events) {}

  void AddRules();
  void AddReportRules();
  template <typename Answer>
  void AddAnswerRule(ipc::MessageType type);
  Status TakeHello(const ipc::Hello& hello);
  Status TakeDescriptor(const ipc::ProcDescriptor& message, UniqueFd descriptor);

  EventLoop& loop_;
  Incarnation who_;
  Owner& owner_;
  WorkerEvents& events_;
  ipc::Dispatch dispatch_;
  ipc::Phase phase_ = ipc::kPhaseHello;
  std::set<ipc::ProcDescriptor::Kind> descriptors_seen_;
  bool confinement_seen_ = false;
  std::unique_ptr<ipc::Link> link_;
};

}  // namespace baokms::supervisor
