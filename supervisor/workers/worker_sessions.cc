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
                               RosterLimits limits)
    : loop_(loop), events_(events), listener_(listener), limits_(limits), members_(workers) {
}

WorkerSessions::~WorkerSessions() {
  for (const Member& member : members_) {
    loop_.Cancel(member.timer);
  }
}

WorkerSessions::Member* WorkerSessions::Find(Incarnation who) {
  if (who.slot >= members_.size() || members_[who.slot].who != who) {
    return nullptr;
  }
  Member& member = members_[who.slot];
  return member.phase == Phase::kEmpty ? nullptr : &member;
}

std::shared_ptr<WorkerChannel> WorkerSessions::ChannelOf(Incarnation who) const {
  if (who.slot >= members_.size() || members_[who.slot].who != who) {
    return nullptr;
  }
  return members_[who.slot].channel;
}

Status WorkerSessions::Attach(Slot slot, UniqueFd channel) {
  if (slot >= members_.size()) {
    return Error(ErrorCode::kInvalidArgument, "there is no such worker slot");
  }
  Member& member = members_[slot];
  if (member.phase != Phase::kEmpty) {
    Finish(member, member.cause.value_or(ExitCause::kOther));
  }
  member.who = {slot, ++last_incarnation_};
  member.channel =
      BAOKMS_TRY(WorkerChannel::Create(loop_, std::move(channel), member.who, *this, events_));
  member.phase = Phase::kExpectHello;
  Expect(member, limits_.hello);
  return {};
}

// Starts the time within which the worker has to say what it owes.
void WorkerSessions::Expect(Member& member, BootTime within) {
  loop_.Cancel(member.timer);
  member.timer = loop_.After(within, [this, who = member.who] {
    if (Member* late = Find(who)) {
      late->timer = 0;
      CloseChannel(*late);
      TellBreach(*late, Error(ErrorCode::kDeadlineExceeded, "worker owes a message or its end"));
    }
  });
}

Status WorkerSessions::OnWorkerHello(Incarnation from) {
  Member* member = Find(from);
  if (member == nullptr || member->phase != Phase::kExpectHello) {
    return Error(ErrorCode::kProtocolViolation, "Hello out of turn");
  }
  loop_.Cancel(std::exchange(member->timer, 0));
  member->phase = Phase::kExpectTable;
  return table_ ? SendTable(*member) : Status();
}

Status WorkerSessions::SendTable(Member& member) {
  BAOKMS_TRY(member.channel->Send(ipc::MessageType::kKeyTable, *table_));
  member.unacknowledged.push_back(table_->generation());
  if (member.unacknowledged.size() == 1) {
    Expect(member, limits_.key_table);
  }
  return {};
}

Status WorkerSessions::OnKeyTable(Incarnation from, const ipc::KeyTableAnswer& answer) {
  Member* member = Find(from);
  if (member == nullptr || member->phase == Phase::kClosed || member->unacknowledged.empty() ||
      member->unacknowledged.front() != answer.generation()) {
    return Error(ErrorCode::kProtocolViolation, "answer to a key table that was not sent");
  }
  if (answer.outcome() != ipc::OUTCOME_OK) {
    return Error(ErrorCode::kFailedPrecondition, "worker refuses its key table");
  }
  member->unacknowledged.pop_front();
  loop_.Cancel(std::exchange(member->timer, 0));
  if (!member->unacknowledged.empty()) {
    Expect(*member, limits_.key_table);
  }
  listener_.OnTableAcknowledged(from, answer);
  if (member->phase == Phase::kExpectTable && member->unacknowledged.empty()) {
    member->phase = Phase::kReady;
    listener_.OnWorkerReady(from, member->channel);
    events_.OnReady(from);
  }
  RunFinishedPublications();
  return {};
}

Status WorkerSessions::OnAnswer(Incarnation from, AnyAnswer answer) {
  const Member* member = Find(from);
  if (member == nullptr || member->phase != Phase::kReady) {
    return Error(ErrorCode::kProtocolViolation, "answer before anything was asked");
  }
  return listener_.OnWorkerAnswer(from, std::move(answer));
}

void WorkerSessions::OnTokenStatus(Incarnation from, const ipc::TokenStatus& status) {
  const Member* member = Find(from);
  if (member != nullptr && member->phase != Phase::kClosed) {
    listener_.OnWorkerToken(from, status);
    events_.OnTokenStatus(from, status);
  }
}

void WorkerSessions::OnClosed(Incarnation from, const Error& why) {
  Member* member = Find(from);
  if (member == nullptr) {
    return;
  }
  CloseChannel(*member);
  if (member->cause) {
    Finish(*member, *member->cause);
  } else if (why.code() == ErrorCode::kUnavailable) {
    Expect(*member, limits_.exit);  // the news of its process is on the way
  } else {
    TellBreach(*member, why);
  }
}

void WorkerSessions::TellBreach(Member& member, const Error& why) {
  if (member.cause) {
    Finish(member, *member.cause);
  } else if (!std::exchange(member.breach_told, true)) {
    events_.OnBreach(member.who.slot, why);
  }
}

void WorkerSessions::CloseChannel(Member& member) {
  if (member.phase == Phase::kClosed) {
    return;
  }
  loop_.Cancel(std::exchange(member.timer, 0));
  member.phase = Phase::kClosed;
  member.channel.reset();
  listener_.OnWorkerLeaving(member.who);
  RunFinishedPublications();
}

void WorkerSessions::Detached(Slot slot, ExitCause cause) {
  if (slot >= members_.size() || members_[slot].phase == Phase::kEmpty) {
    return;
  }
  Member& member = members_[slot];
  member.cause = member.breach_told ? ExitCause::kProtocolBreach : cause;
  if (member.phase == Phase::kClosed) {
    Finish(member, *member.cause);
  } else {
    Expect(member, limits_.exit);  // what it wrote before its end is still to be read
  }
}

void WorkerSessions::Finish(Member& member, ExitCause cause) {
  CloseChannel(member);
  const Incarnation who = member.who;
  loop_.Cancel(member.timer);
  member = Member();
  listener_.OnWorkerGone(who, cause);
}

void WorkerSessions::Publish(ipc::KeyTable table, std::function<void()> done) {
  const std::uint64_t generation = table.generation();
  publications_.push_back({generation, std::move(done)});
  if (!table_ || table_->generation() < generation) {
    table_ = std::move(table);
    for (Member& member : members_) {
      if (member.phase != Phase::kReady && member.phase != Phase::kExpectTable) {
        continue;
      }
      if (const Status sent = SendTable(member); !sent) {
        CloseChannel(member);
        TellBreach(member, sent.error());
      }
    }
  }
  RunFinishedPublications();
}

void WorkerSessions::RunFinishedPublications() {
  std::uint64_t acknowledged = table_ ? table_->generation() : 0;
  for (const Member& member : members_) {
    if (member.phase == Phase::kReady && !member.unacknowledged.empty()) {
      acknowledged = std::min(acknowledged, member.unacknowledged.front() - 1);
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
