#include "supervisor/workers/worker_sessions.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/workers/worker_channel.h"
#include "supervisor/workers/worker_events.h"

namespace baokms::supervisor {

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

WorkerSessions::Session* WorkerSessions::Find(Incarnation who) {
  if (who.slot >= sessions_.size() || sessions_[who.slot].who != who) {
    return nullptr;
  }
  Session& session = sessions_[who.slot];
  return session.phase == Phase::kEmpty ? nullptr : &session;
}

std::shared_ptr<WorkerChannel> WorkerSessions::ChannelOf(Incarnation who) const {
  if (who.slot >= sessions_.size() || sessions_[who.slot].who != who) {
    return nullptr;
  }
  return sessions_[who.slot].channel;
}

Status WorkerSessions::Attach(Slot slot, UniqueFd channel) {
  if (slot >= sessions_.size()) {
    return Error(ErrorCode::kInvalidArgument, "there is no such worker slot");
  }
  Session& session = sessions_[slot];
  if (session.phase != Phase::kEmpty) {
    Finish(session, session.cause.value_or(ExitCause::kOther));
  }
  session.who = {slot, ++last_incarnation_};
  session.channel =
      BAOKMS_TRY(WorkerChannel::Create(loop_, std::move(channel), session.who, *this, events_));
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

Status WorkerSessions::OnWorkerHello(Incarnation from) {
  Session* session = Find(from);
  if (session == nullptr || session->phase != Phase::kExpectHello) {
    return Error(ErrorCode::kProtocolViolation, "Hello out of turn");
  }
  loop_.Cancel(std::exchange(session->timer, 0));
  session->phase = Phase::kExpectTable;
  return table_ ? SendTable(*session) : Status();
}

Status WorkerSessions::SendTable(Session& session) {
  BAOKMS_TRY(session.channel->Send(ipc::MessageType::kKeyTable, *table_));
  session.unacknowledged.push_back(table_->generation());
  if (session.unacknowledged.size() == 1) {
    Expect(session, limits_.key_table);
  }
  return {};
}

Status WorkerSessions::OnKeyTable(Incarnation from, const ipc::KeyTableAnswer& answer) {
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

Status WorkerSessions::OnAnswer(Incarnation from, AnyAnswer answer) {
  const Session* session = Find(from);
  if (session == nullptr || session->phase != Phase::kReady) {
    return Error(ErrorCode::kProtocolViolation, "answer before anything was asked");
  }
  return listener_.OnWorkerAnswer(from, std::move(answer));
}

void WorkerSessions::OnTokenStatus(Incarnation from, const ipc::TokenStatus& status) {
  const Session* session = Find(from);
  if (session != nullptr && session->phase != Phase::kClosed) {
    listener_.OnWorkerToken(from, status);
    events_.OnTokenStatus(from, status);
  }
}

void WorkerSessions::OnClosed(Incarnation from, const Error& why) {
  Session* session = Find(from);
  if (session == nullptr) {
    return;
  }
  CloseChannel(*session);
  if (session->cause) {
    Finish(*session, *session->cause);
  } else if (why.code() == ErrorCode::kUnavailable) {
    Expect(*session, limits_.exit);  // the report about its process is on its way
  } else {
    TellViolation(*session, why);
  }
}

void WorkerSessions::TellViolation(Session& session, const Error& why) {
  if (session.cause) {
    Finish(session, *session.cause);
  } else if (!std::exchange(session.violation_told, true)) {
    events_.OnViolation(session.who.slot, why);
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

void WorkerSessions::Detached(Slot slot, ExitCause cause) {
  if (slot >= sessions_.size() || sessions_[slot].phase == Phase::kEmpty) {
    return;
  }
  Session& session = sessions_[slot];
  session.cause = session.violation_told ? ExitCause::kProtocolViolation : cause;
  if (session.phase == Phase::kClosed) {
    Finish(session, *session.cause);
  } else {
    Expect(session, limits_.exit);  // messages sent before its exit may still be unread
  }
}

void WorkerSessions::Finish(Session& session, ExitCause cause) {
  CloseChannel(session);
  const Incarnation who = session.who;
  loop_.Cancel(session.timer);
  session = Session();
  listener_.OnWorkerGone(who, cause);
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
