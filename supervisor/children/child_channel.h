// The supervisor's end of the channel to one child process, with everything that all children have
// in common: Hello, the reports that a process makes about itself, its log records and its requests
// for connections. A channel to a worker, the auth agent or the spawner adds the messages that only
// it may receive. Form and rate of every message are checked before its handler runs
// (ipc/dispatch.h), and here how many requests of a child are unanswered (ipc/limits.h). A message
// that is not allowed closes the channel permanently, and the child is killed.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <type_traits>
#include <utility>

#include <google/protobuf/message_lite.h>

#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/dispatch.h"
#include "ipc/link.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/spawner/child_key.h"

namespace baokms::supervisor {

// One process in a slot. Numbers are never reused for a key, so that an answer to a process that
// has exited cannot reach its successor.
struct ChildProcess {
  ChildKey key;
  std::uint64_t number = 0;

  friend bool operator==(const ChildProcess&, const ChildProcess&) = default;
};

// The messages that any child may send. Every function is called on the loop's thread, with no lock
// held. Messages were checked for form only; the implementation decides what to trust.
class ChildEvents {
 public:
  virtual ~ChildEvents() = default;

  // `descriptor` is the child's own /proc/self/<kind>; each kind arrives at most once.
  virtual void OnProcDescriptor(const ChildProcess& from,
                                ipc::ProcDescriptor::Kind kind,
                                UniqueFd descriptor) = 0;
  virtual void OnConfinement(const ChildProcess& from, const ipc::ConfinementReport& report) = 0;
  virtual void OnLogRecord(const ChildProcess& from, const ipc::LogRecord& record) = 0;

  // The child exits by itself after either of these.
  virtual void OnSyscallRefused(const ChildProcess& from, std::uint32_t number) = 0;
  virtual void OnStartFailure(const ChildProcess& from, const ipc::StartFailure& failure) = 0;

  // To be answered with ChildChannel::AnswerConnect(), now or later. An error is a protocol
  // violation.
  virtual Status OnConnectRequest(const ChildProcess& from, const ipc::ConnectRequest& request) = 0;
  virtual void OnConnectReport(const ChildProcess& from, const ipc::ConnectReport& report) = 0;

  // One HTTP exchange with OpenBao, from any message that reports exchanges.
  virtual void OnCall(const ChildProcess& from, const ipc::OpenBaoCall& call) = 0;

 protected:
  ChildEvents() = default;
  ChildEvents(const ChildEvents&) = default;
  ChildEvents& operator=(const ChildEvents&) = default;
};

// Send() may be called from any thread, and the last reference may be dropped on any thread;
// everything else belongs to the loop's thread. Must be held by std::shared_ptr.
class ChildChannel : public std::enable_shared_from_this<ChildChannel> {
 public:
  ChildChannel(const ChildChannel&) = delete;
  ChildChannel& operator=(const ChildChannel&) = delete;
  // The loop's thread destroys the link itself shortly afterwards.
  virtual ~ChildChannel();

  // Starts receiving on the supervisor's end of the pair in the loop's next turn. Must be called
  // once.
  Status Open(UniqueFd channel);

  // As ipc::Link::Send().
  Status Send(ipc::MessageType type,
              const google::protobuf::MessageLite& message,
              UniqueFd attached = UniqueFd()) {
    return link_->Send(type, message, std::move(attached));
  }

  // Asks the child for a sign of life, unless it still owes one.
  void Ping();

  // Answers a ConnectRequest; the supervisor's copy of the socket is closed once it was sent.
  Status AnswerConnect(ipc::ConnectAnswer answer, UniqueFd socket);

 protected:
  // `loop` and `events` must outlive the channel.
  ChildChannel(EventLoop& loop, const ChildProcess& who, ChildEvents& events);

  // Called after the child's first message, which has been answered by then. A returned error is a
  // protocol violation.
  virtual Status OnHello() = 0;
  // Called once. kUnavailable: the child closed its end, so its process has most likely exited. Any
  // other code: it violated the protocol and must be killed.
  virtual void OnClosed(const Error& why) = 0;

  // Adds a message that this kind of child may send, usually after its Hello. An error that the
  // handler returns is a protocol violation.
  template <typename Message, typename Handler>
  void Accept(ipc::MessageType type, Handler handler, std::uint32_t phases = ipc::kPhaseServing) {
    if constexpr (std::is_void_v<std::invoke_result_t<Handler&, Message&>>) {
      dispatch_.Add<Message>(type, phases, [handler](Message& message) -> Status {
        handler(message);
        return {};
      });
    } else {
      dispatch_.Add<Message>(type, phases, handler);
    }
  }

  // Adds ConnectRequest and ConnectReport, for a child that connects to OpenBao.
  void AcceptConnectRequests();

  // Adds Pong, for a child that is sent Pings. `heard` runs for each one that was asked for.
  void AcceptPongs(std::function<void()> heard);

  // Counts a request whose answer is due. kProtocolViolation: MessageLimits::unanswered of its type
  // are waiting already.
  Status CountRequest(ipc::MessageType request);

  // Records that so many requests of this type were answered.
  void CountAnswers(ipc::MessageType request, std::size_t answers);

  // Passes on the HTTP exchanges that a message reports.
  void ReportCalls(const google::protobuf::RepeatedPtrField<ipc::OpenBaoCall>& calls);

  [[nodiscard]] const ChildProcess& who() const { return who_; }

 private:
  void AcceptReports();
  Status TakeHello(const ipc::Hello& hello);
  Status TakeDescriptor(const ipc::ProcDescriptor& message, UniqueFd descriptor);
  Status TakeConfinement(const ipc::ConfinementReport& report);
  Status TakeConnectRequest(const ipc::ConnectRequest& request);
  Status TakeReceipt(std::uint64_t receipt);

  EventLoop& loop_;
  ChildProcess who_;
  ChildEvents& events_;
  ipc::Dispatch dispatch_;
  ipc::Phase phase_ = ipc::kPhaseHello;
  std::set<ipc::ProcDescriptor::Kind> descriptors_seen_;
  bool confinement_seen_ = false;
  std::map<ipc::MessageType, std::size_t> unanswered_;
  std::deque<std::uint64_t> receipts_;  // of ConnectAnswers that may not have been received
  std::uint64_t last_receipt_ = 0;      // that the child has sent
  bool ping_unanswered_ = false;
  std::unique_ptr<ipc::Link> link_;
};

}  // namespace baokms::supervisor
