#include "supervisor/workers/worker_channel.h"

#include <memory>
#include <type_traits>
#include <utility>

#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/key_versions.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/child_channel.h"
#include "supervisor/spawner/child_key.h"
#include "supervisor/workers/pending_request.h"
#include "supervisor/workers/worker_events.h"
#include "supervisor/workers/worker_requests.h"

namespace baokms::supervisor {

using ipc::MessageType;

Result<std::shared_ptr<WorkerChannel>> WorkerChannel::Create(
    EventLoop& loop, UniqueFd channel, Incarnation who, Owner& owner, WorkerEvents& events) {
  std::shared_ptr<WorkerChannel> made(new WorkerChannel(loop, who, owner, events));
  BAOKMS_TRY(made->Open(std::move(channel)));
  return made;
}

WorkerChannel::WorkerChannel(EventLoop& loop,
                             Incarnation incarnation,
                             Owner& owner,
                             WorkerEvents& events)
    : ChildChannel(loop, {WorkerKey(incarnation.slot), incarnation.number}, events),
      incarnation_(incarnation),
      owner_(owner) {
  AcceptConnectRequests();
  Accept<ipc::KeyTableAnswer>(MessageType::kKeyTableAnswer,
                              [this](const ipc::KeyTableAnswer& answer) {
                                return owner_.OnKeyTable(incarnation_, answer);
                              });
  WorkerRequests::ForEach([this]<typename Row>(Row /*row*/) { AcceptAnswer<Row>(); });
  Accept<ipc::TokenStatus>(MessageType::kTokenStatus,
                           [this](const ipc::TokenStatus& status) -> Status {
                             for (const ipc::OpenBaoCall& call : status.calls()) {
                               this->events().OnCall(this->who(), call);
                             }
                             owner_.OnTokenStatus(incarnation_, status);
                             return {};
                           });
}

template <typename Row>
void WorkerChannel::AcceptAnswer() {
  using Answer = typename Row::Answer;
  Accept<Answer>(Row::kAnswerType, [this](Answer& answer) -> Status {
    if constexpr (std::is_same_v<Answer, ipc::MetadataAnswer>) {
      if (BAOKMS_TRY(metadata_parts_.Join(answer)) == ipc::MetadataParts::Progress::kMoreToCome) {
        return {};
      }
    }
    const auto calls = std::move(*answer.mutable_calls());
    BAOKMS_TRY(owner_.OnAnswer(incarnation_, std::move(answer)));
    // Reported last: a client waits for the answer, but nothing waits for the statistics.
    for (const ipc::OpenBaoCall& call : calls) {
      this->events().OnCall(this->who(), call);
    }
    return {};
  });
}

}  // namespace baokms::supervisor
