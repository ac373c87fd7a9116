// The table of every request that a worker answers. Submitting, holding, scheduling, receiving and
// completing a request are all derived from its row, so a new request needs a row here and an
// operation in worker/.

#pragma once

#include <cstdint>
#include <functional>
#include <type_traits>
#include <variant>

#include "ipc/message_type.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {

// A worker's slot: 0 .. isolation.workers - 1. A slot outlives the processes that occupy it.
using Slot = std::uint32_t;

// One worker process.
struct WorkerProcess {
  Slot slot = 0;
  std::uint64_t number = 0;  // ChildProcess::number; 0: none
};

// An answer or the reason why there is none. In the latter case `answer.outcome()` is
// OUTCOME_TIMEOUT (the deadline passed), OUTCOME_UNAVAILABLE (no worker that the choice allows),
// OUTCOME_OVERLOADED (a queue is full) or OUTCOME_INTERNAL (the request crashed workers).
template <typename Answer>
struct Reply {
  Answer answer;
  WorkerProcess worker;        // the one that answered, or that had the request when time was up
  std::uint32_t queue_us = 0;  // until it was sent to a worker
  std::uint32_t ipc_us = 0;    // from then to the answer, without the time the worker reports
  std::uint32_t replays = 0;   // how often it moved to another worker
  bool hedged = false;         // it was sent to a second worker as well
};

template <typename Answer>
using OnReply = std::function<void(Reply<Answer>)>;

// Such a request is wiped once it is no longer needed.
template <typename Message>
concept HasPlaintext = requires(Message& message) {
  message.mutable_plaintext();
};

// One row. The maximum sizes and rates are in the table of messages, which both ends share
// (ipc/limits.h).
template <typename RequestMessage, typename AnswerMessage, ipc::MessageType kRequestType>
struct WorkerRequestRow {
  using Request = RequestMessage;
  using Answer = AnswerMessage;
  static constexpr ipc::MessageType kType = kRequestType;
  static constexpr ipc::MessageType kAnswerType = ipc::AnswerTypeOf(kRequestType);
};

template <typename... Rows>
struct WorkerRequestTable {
  // The three lists have the same order: an answer fits a callback if their indices are equal.
  using AnyRequest = std::variant<typename Rows::Request...>;
  using AnyAnswer = std::variant<typename Rows::Answer...>;
  using AnyDone = std::variant<OnReply<typename Rows::Answer>...>;

  // Calls `visit` with each row.
  template <typename Visitor>
  static void ForEach(const Visitor& visit) {
    (visit(Rows()), ...);
  }
};

using WorkerRequests = WorkerRequestTable<
    WorkerRequestRow<ipc::EncryptRequest, ipc::EncryptAnswer, ipc::MessageType::kEncryptRequest>,
    WorkerRequestRow<ipc::DecryptRequest, ipc::DecryptAnswer, ipc::MessageType::kDecryptRequest>,
    WorkerRequestRow<ipc::MetadataRequest, ipc::MetadataAnswer, ipc::MessageType::kMetadataRequest>,
    WorkerRequestRow<ipc::ProbeEncryptRequest,
                     ipc::ProbeEncryptAnswer,
                     ipc::MessageType::kProbeEncryptRequest>,
    WorkerRequestRow<ipc::ProbeDecryptRequest,
                     ipc::ProbeDecryptAnswer,
                     ipc::MessageType::kProbeDecryptRequest>>;

using AnyRequest = WorkerRequests::AnyRequest;
using AnyAnswer = WorkerRequests::AnyAnswer;
using AnyDone = WorkerRequests::AnyDone;

// Finds the row of a request or an answer.
template <typename Message, typename Table = WorkerRequests>
struct RowOf;

template <typename Message, typename Row, typename... Rest>
struct RowOf<Message, WorkerRequestTable<Row, Rest...>>
    : std::conditional_t<std::is_same_v<Message, typename Row::Request> ||
                             std::is_same_v<Message, typename Row::Answer>,
                         std::type_identity<Row>,
                         RowOf<Message, WorkerRequestTable<Rest...>>> {};

template <typename Request>
using AnswerTo = typename RowOf<Request>::type::Answer;

}  // namespace baokms::supervisor
