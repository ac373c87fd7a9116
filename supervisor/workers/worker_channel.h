// The supervisor's channel to one worker process, with the messages that only a worker may send.

#pragma once

#include <memory>

#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/key_versions.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/child_channel.h"
#include "supervisor/workers/pending_request.h"
#include "supervisor/workers/worker_events.h"

namespace baokms::supervisor {

class WorkerChannel final : public ChildChannel {
 public:
  // Called on the loop's thread. A returned error is a protocol violation by the worker and leads
  // to OnClosed().
  class Owner {
   public:
    virtual ~Owner() = default;

    virtual Status OnWorkerHello(Incarnation from) = 0;
    virtual Status OnKeyTable(Incarnation from, const ipc::KeyTableAnswer& answer) = 0;
    virtual Status OnAnswer(Incarnation from, AnyAnswer answer) = 0;
    virtual void OnTokenStatus(Incarnation from, const ipc::TokenStatus& status) = 0;
    // Called once. kUnavailable: the worker closed its end, so its process has most likely exited.
    virtual void OnClosed(Incarnation from, const Error& why) = 0;

   protected:
    Owner() = default;
    Owner(const Owner&) = default;
    Owner& operator=(const Owner&) = default;
  };

  // `loop`, `owner` and `events` must outlive the channel.
  static Result<std::shared_ptr<WorkerChannel>> Create(
      EventLoop& loop, UniqueFd channel, Incarnation who, Owner& owner, WorkerEvents& events);

 private:
  WorkerChannel(EventLoop& loop, Incarnation incarnation, Owner& owner, WorkerEvents& events);

  Status OnHello() override { return owner_.OnWorkerHello(incarnation_); }

  void OnClosed(const Error& why) override { owner_.OnClosed(incarnation_, why); }

  template <typename Row>
  void AcceptAnswer();

  Incarnation incarnation_;
  Owner& owner_;
  ipc::MetadataParts metadata_parts_;
};

}  // namespace baokms::supervisor
