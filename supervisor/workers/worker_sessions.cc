#include "supervisor/workers/worker_sessions.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "common/base/error.h"
#include "ipc/key_versions.h"
#include "ipc/message_type.h"
#include "supervisor/spawner/child_key.h"
#include "supervisor/workers/worker_requests.h"

namespace baokms::supervisor {

using ipc::MessageType;

// The channel to one worker process, with the messages that only a worker may send.
class WorkerSessions::Channel final : public ChildChannel {
 public:
  Channel(EventLoop& loop, const ChildProcess& who, WorkerSessions& sessions);

 private:
  Status OnHello() override { return sessions_.OnHello(who()); }

  void OnClosed(const Error& why) override { sessions_.OnClosed(who(), why); }

  template <typename Row>
  void AcceptAnswer();

  WorkerSessions& sessions_;
  ipc::MetadataParts metadata_parts_;
};

WorkerSessions::Channel::Channel(EventLoop& loop, const ChildProcess& who, WorkerSessions& sessions)
    : ChildChannel(loop, who, sessions.events_), sessions_(sessions) {
  AcceptConnectRequests();
  AcceptPongs([this] { sessions_.OnPong(this->who()); });
  Accept<ipc::KeyTableAnswer>(MessageType::kKeyTableAnswer,
                              [this](const ipc::KeyTableAnswer& answer) {
                                return sessions_.OnKeyTable(this->who(), answer);
                              });
  WorkerRequests::ForEach([this]<typename Row>(Row /*row*/) { AcceptAnswer<Row>(); });
  Accept<ipc::TokenStatus>(MessageType::kTokenStatus, [this](const ipc::TokenStatus& status) {
    ReportCalls(status.calls());
    sessions_.OnTokenStatus(this->who(), status);
  });
}

template <typename Row>
void WorkerSessions::Channel::AcceptAnswer() {
  using Answer = typename Row::Answer;
  Accept<Answer>(Row::kAnswerType, [this](Answer& answer) -> Status {
    if constexpr (std::is_same_v<Answer, ipc::MetadataAnswer>) {
      if (BAOKMS_TRY(metadata_parts_.Join(answer)) == ipc::MetadataParts::Progress::kMoreToCome) {
        return {};
      }
    }
    const auto calls = std::move(*answer.mutable_calls());
    BAOKMS_TRY(sessions_.OnAnswer(who(), std::move(answer)));
    // Reported last: a client waits for the answer, but nothing waits for the statistics.
    ReportCalls(calls);
    return {};
  });
}

WorkerSessions::WorkerSessions(EventLoop& loop,
                               WorkerEvents& events,
                               Listener& listener,
                               std::size_t workers,
                               SessionTimeouts limits)
    : loop_(loop), events_(events), listener_(listener), limits_(limits), sessions_(workers) {
}

WorkerSessions::~WorkerSessions() {
  for (const Session& session : sessions_) {
    loop_.Cancel(session.timer);
  }
}

WorkerSessions::Session* WorkerSessions::Find(const ChildProcess& who) {
  const auto found = std::ranges::find(sessions_, who, &Session::who);
  return found == sessions_.end() || found->phase == Phase::kEmpty ? nullptr : &*found;
}

std::shared_ptr<ChildChannel> WorkerSessions::ChannelOf(const ChildProcess& who) {
  const Session* session = Find(who);
  return session == nullptr ? nullptr : session->channel;
}

Status WorkerSessions::Attach(Slot slot, UniqueFd channel) {
  if (slot >= sessions_.size()) {
    return Error(ErrorCode::kInvalidArgument, "there is no such worker slot");
  }
  Session& session = sessions_[slot];
  if (session.phase != Phase::kEmpty) {
    Finish(session, session.end.value_or(WorkerEnd::kKilled));
  }
  session.who = {WorkerKey(slot), ++last_number_};
  session.channel = std::make_shared<Channel>(loop_, session.who, *this);
  BAOKMS_TRY(session.channel->Open(std::move(channel)));
  session.phase = Phase::kExpectHello;
  Expect(session, limits_.hello);
  return {};
}

// Starts the timer for the message that the worker must send next.
void WorkerSessions::Expect(Session& session, BootTime within) {
  loop_.Cancel(session.timer);
  session.timer = loop_.After(within, [this, who = session.who] {
    if (Session* late = Find(who)) {
      late->timer = 0;
      CloseChannel(*late);
      TellViolation(*late, Error(ErrorCode::kDeadlineExceeded, "worker owes a message or its end"));
    }
  });
}

Status WorkerSessions::OnHello(const ChildProcess& from) {
  Session* session = Find(from);
  if (session == nullptr || session->phase != Phase::kExpectHello) {
    return Error(ErrorCode::kProtocolViolation, "Hello out of turn");
  }
  loop_.Cancel(std::exchange(session->timer, 0));
  session->phase = Phase::kExpectTable;
  return table_ ? SendTable(*session) : Status();
}

Status WorkerSessions::SendTable(Session& session) {
  BAOKMS_TRY(session.channel->Send(MessageType::kKeyTable, *table_));
  session.unacknowledged.push_back(table_->generation());
  if (session.unacknowledged.size() == 1) {
    Expect(session, limits_.key_table);
  }
  return {};
}

Status WorkerSessions::OnKeyTable(const ChildProcess& from, const ipc::KeyTableAnswer& answer) {
  Session* session = Find(from);
  if (session == nullptr || session->phase == Phase::kClosed || session->unacknowledged.empty() ||
      session->unacknowledged.front() != answer.generation()) {
    return Error(ErrorCode::kProtocolViolation, "answer to a key table that was not sent");
  }
  if (answer.outcome() != ipc::OUTCOME_OK) {
    return Error(ErrorCode::kFailedPrecondition, "worker refuses its key table");
  }
  session->unacknowledged.pop_front();
  loop_.Cancel(std::exchange(session->timer, 0));
  if (!session->unacknowledged.empty()) {
    Expect(*session, limits_.key_table);
  }
  listener_.OnTableAcknowledged(from, answer);
  if (session->phase == Phase::kExpectTable && session->unacknowledged.empty()) {
    session->phase = Phase::kReady;
    listener_.OnWorkerReady(from, session->channel);
    events_.OnReady(from);
  }
  RunFinishedPublications();
  return {};
}

Status WorkerSessions::OnAnswer(const ChildProcess& from, AnyAnswer answer) {
  const Session* session = Find(from);
  if (session == nullptr || session->phase != Phase::kReady) {
    return Error(ErrorCode::kProtocolViolation, "answer before anything was asked");
  }
  return listener_.OnWorkerAnswer(from, std::move(answer));
}

void WorkerSessions::OnPong(const ChildProcess& from) {
  if (const Session* session = Find(from); session != nullptr && session->phase == Phase::kReady) {
    listener_.OnWorkerPong(from);
  }
}

void WorkerSessions::OnTokenStatus(const ChildProcess& from, const ipc::TokenStatus& status) {
  const Session* session = Find(from);
  if (session != nullptr && session->phase != Phase::kClosed) {
    listener_.OnWorkerToken(from, status);
    events_.OnTokenStatus(from, status);
  }
}

void WorkerSessions::OnClosed(const ChildProcess& from, const Error& why) {
  Session* session = Find(from);
  if (session == nullptr) {
    return;
  }
  CloseChannel(*session);
  if (session->end) {
    Finish(*session, *session->end);
  } else if (why.code() == ErrorCode::kUnavailable) {
    Expect(*session, limits_.exit);  // the report about its process is on its way
  } else {
    TellViolation(*session, why);
  }
}

void WorkerSessions::Reject(const ChildProcess& who, const Error& why) {
  if (Session* session = Find(who); session != nullptr && session->phase != Phase::kClosed) {
    CloseChannel(*session);
    TellViolation(*session, why);
  }
}

void WorkerSessions::TellViolation(Session& session, const Error& why) {
  if (session.end) {
    Finish(session, *session.end);
  } else if (!std::exchange(session.violation_told, true)) {
    events_.OnViolation(session.who.key.slot, why);
  }
}

void WorkerSessions::CloseChannel(Session& session) {
  if (session.phase == Phase::kClosed) {
    return;
  }
  loop_.Cancel(std::exchange(session.timer, 0));
  session.phase = Phase::kClosed;
  session.channel.reset();
  listener_.OnWorkerLeaving(session.who);
  RunFinishedPublications();
}

void WorkerSessions::Detached(Slot slot, WorkerEnd end) {
  if (slot >= sessions_.size() || sessions_[slot].phase == Phase::kEmpty) {
    return;
  }
  Session& session = sessions_[slot];
  session.end = session.violation_told && end == WorkerEnd::kCrashed ? WorkerEnd::kKilled : end;
  if (session.phase == Phase::kClosed) {
    Finish(session, *session.end);
  } else {
    Expect(session, limits_.exit);  // messages sent before its exit may still be unread
  }
}

void WorkerSessions::Finish(Session& session, WorkerEnd end) {
  CloseChannel(session);
  const ChildProcess who = session.who;
  loop_.Cancel(session.timer);
  session = Session();
  listener_.OnWorkerGone(who, end);
}

void WorkerSessions::Publish(ipc::KeyTable table, std::function<void()> done) {
  const std::uint64_t generation = table.generation();
  publications_.push_back({generation, std::move(done)});
  if (!table_ || table_->generation() < generation) {
    table_ = std::move(table);
    for (Session& session : sessions_) {
      if (session.phase != Phase::kReady && session.phase != Phase::kExpectTable) {
        continue;
      }
      if (const Status sent = SendTable(session); !sent) {
        CloseChannel(session);
        TellViolation(session, sent.error());
      }
    }
  }
  RunFinishedPublications();
}

void WorkerSessions::RunFinishedPublications() {
  std::uint64_t acknowledged = table_ ? table_->generation() : 0;
  for (const Session& session : sessions_) {
    if (session.phase == Phase::kReady && !session.unacknowledged.empty()) {
      acknowledged = std::min(acknowledged, session.unacknowledged.front() - 1);
    }
  }
  std::erase_if(publications_, [&](Publication& publication) {
    if (publication.generation > acknowledged) {
      return false;
    }
    loop_.Post(std::move(publication.done));  // not from here: it may publish again
    return true;
  });
}

}  // namespace baokms::supervisor
