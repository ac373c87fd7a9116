// Every maximum of the IPC channels, with its reason: the range of each field, and in one table the
// size of each message, how often a peer may send it and how many may wait for an answer. Both ends
// of a channel include this file, so they cannot disagree. A message that exceeds a maximum
// violates the protocol, and its sender is killed.

#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "ipc/child_descriptors.h"
#include "ipc/message_type.h"

namespace baokms::ipc {

// The part of a salted hash of the PIN that its tag may disclose. The supervisor knows the salt, so
// every bit halves the number of PINs that an attacker who has the tag must consider. Four bits
// notice 15 of 16 changes of a PIN; for the others, an operator clears the latch.
inline constexpr std::uint16_t kPinTagBits = 0xf000;

// The type number at the start of every message.
inline constexpr std::size_t kHeaderSize = 2;

// Control messages hold a few numbers and words of a fixed vocabulary.
inline constexpr std::size_t kMaxControlBody = 512;

// A log record of a child: 16 fields of at most 256 bytes and their keys (ipc/log_message.h
// truncates).
inline constexpr std::size_t kMaxLogBody = 8 * 1024;
inline constexpr std::size_t kMaxLogFields = 16;
inline constexpr std::size_t kMaxLogText = 256;

// Event and field names are our constants; the longest has about 30 characters.
inline constexpr std::size_t kMaxLogName = 64;

// Versions in one datagram: a full registry (contract::kMaxKeyRecords), so that a key table always
// fits into one message. It must also fit into the kernel's default send buffer
// (net.core.wmem_default) of 208 KiB.
inline constexpr std::size_t kMaxKeyVersions = 16384;

// Versions in metadata (contract::kMaxListedVersions), which may be split into several datagrams.
inline constexpr std::size_t kMaxMetadataVersions = 16 * kMaxKeyVersions;

// OpenBao counts versions with an int, and 2^31 rotations are out of reach.
inline constexpr std::int64_t kMaxVersionNumber = INT32_MAX;

// Seconds since 1970, up to about the year 141,000, so that a six-byte varint holds them.
inline constexpr std::int64_t kMaxCreatedUnix = (std::int64_t{1} << 42) - 1;

// A version below 2^31 takes five bytes and its creation time six; the two lists add tags and
// lengths.
inline constexpr std::size_t kMaxKeyVersionsSize = kMaxKeyVersions * (5 + 6) + 32;

// The versions, a generation and one key_id.
inline constexpr std::size_t kMaxKeyTableBody = kMaxKeyVersionsSize + 256;

// The versions, flags, calls and one name.
inline constexpr std::size_t kMaxMetadataBody = kMaxKeyVersionsSize + 4096;

// A DecryptRequest contains what gRPC accepted (at most 64 KiB) and adds three numbers.
inline constexpr std::size_t kMaxDecryptRequestBody = 65'536 + 256;

// Plaintext that still gives a ciphertext below 1,024 bytes, or that ciphertext and eight
// annotations of ours; each call of a retried request adds at most 170 bytes.
inline constexpr std::size_t kMaxKmsBody = 8 * 1024;

// The description of a TLS alert is one byte (RFC 8446, section 6).
inline constexpr std::uint32_t kMaxTlsAlert = 255;

// HTTP exchanges that one operation may need: first attempt, retry, new token, retry; reading the
// metadata takes two of these sequences.
inline constexpr std::size_t kMaxCalls = 16;

// Concurrent calls of one KMS method that the configuration allows (server.*Concurrency): far above
// the number of concurrent calls that one API server makes.
inline constexpr std::size_t kMaxCallsPerMethod = 1024;

// Requests to workers in progress, all of which may reach the only remaining one: the methods of
// KMS, and as many again for verifications, probes and metadata.
inline constexpr std::size_t kMaxRequests = 4 * kMaxCallsPerMethod;

// Addresses of one name that are used and reported: far above the nodes of an OpenBao cluster, also
// when each of them has several addresses of both families. Their numbers fit into a control
// message (kMaxControlBody) at five bytes each, which bounds what one name can make a call try.
inline constexpr std::size_t kMaxAddresses = 64;

// The longest token that the client accepts from OpenBao (openbao::kMaxTokenBytes).
inline constexpr std::size_t kMaxToken = 32 * 1024;
inline constexpr std::size_t kTokenHeaderSize = 16 + 4 + 1;
inline constexpr std::size_t kMaxTokenBody = kTokenHeaderSize + kMaxToken;

inline constexpr std::size_t kLoginRequestIdSize = 16;

// A status word of TokenStatus, AgentStatus or LoginFailed: lower-case letters, digits and '_'. The
// longest word of the vocabulary has 18 characters.
inline constexpr std::size_t kMaxStatusWord = 32;

// A request ID of OpenBao, a UUID today.
inline constexpr std::size_t kMaxRequestId = 128;

// The name of a key type in OpenBao, such as "aes256-gcm96".
inline constexpr std::size_t kMaxKeyTypeName = 64;

// The step in a StartFailure is one of our literals; the longest has about 80 characters.
inline constexpr std::size_t kMaxStep = 160;

// Leases beyond 100 years are mistakes, and their nanoseconds would not fit into 64 bits.
inline constexpr std::int64_t kMaxLeaseSeconds = std::int64_t{100} * 366 * 24 * 3600;

// Points in time end with the year 9999, like those of certificates (RFC 5280, 4.1.2.5).
inline constexpr std::int64_t kMaxUnixTime = 253'402'300'799;

// The longest HTTP exchange with OpenBao that is reported. No call may take longer
// (worker::kMaxLoginTimeout); one during which the machine was suspended is reported as this long.
inline constexpr std::chrono::microseconds kMaxCallDuration = std::chrono::minutes(10);

// ConnectRequests of one child whose answers it has not received, including those whose caller has
// given up. Each answer may carry a descriptor, and the kernel counts descriptors that were sent
// and not received for all processes of one user. An answer takes less than a millisecond when the
// name is known, so that 32 at a time are more than kConnectsPerSecond.
inline constexpr std::size_t kMaxUnansweredConnects = 32;

// Descriptors of all children together that wait to be received, and the most that the supervisor
// has open besides: 64 clients of the KMS socket, as many of the other listeners, channels, files.
// A service may have 1,024 of either kind (RLIMIT_NOFILE), if nobody raised the limit.
inline constexpr std::size_t kMaxUnreceivedDescriptors = (kMaxWorkers + 1) * kMaxUnansweredConnects;
inline constexpr std::size_t kMaxServingDescriptors = 384;
static_assert(kMaxUnreceivedDescriptors + kMaxServingDescriptors <= 1024);

// Connections that a child may request per second before it refuses its own requests: more than the
// number of TLS handshakes that a worker can complete.
inline constexpr double kConnectsPerSecond = 2000;

// The rate at which one peer may send messages of one type. A supervisor that was suspended briefly
// receives everything that was sent meanwhile at once, so each burst covers at least ten seconds.
struct FlowLimit {
  double burst = 0;       // 0: no rate limit of its own
  double per_second = 0;  // 0: `burst` is the total for the lifetime of a channel
};

// When a child that sends nothing is noticed, in intervals of `tick`.
struct SilenceLimits {
  std::chrono::milliseconds tick{};
  int ping = 0;     // it is asked for a sign of life
  int stopped = 0;  // its work is given to others
  int kill = 0;     // it is replaced
};

// A worker that has requests. Most answers come within 100 ms, so that it is rarely asked. A loop
// that runs answers at once; after 225 ms the callers are better served by another worker, which
// costs nothing but a repeated call. Only what got no processor for a second is killed: even behind
// dozens of busy processes a worker runs several times in that time, and an Encrypt that waits for
// its successor still has nearly a second of the default openbao.timeout.
inline constexpr SilenceLimits kWorkerSilence{
    .tick = std::chrono::milliseconds(25), .ping = 4, .stopped = 9, .kill = 40};

// The auth agent, at all times: nobody notices that it hangs before a worker needs a token. It is
// killed as soon as a worker would be, so that an Encrypt whose verifier was replaced meanwhile
// still gets a token within the default openbao.timeout. Its loop never waits for a PKCS#11 module,
// which has a thread of its own.
inline constexpr SilenceLimits kAgentSilence{
    .tick = std::chrono::milliseconds(250), .ping = 1, .stopped = 4, .kill = 4};

// Restarts without a delay of one child that has served. A child that is killed from outside was
// not broken, and its callers wait: ten cover a series of kills by the OOM killer or by an
// administrator. What ends a child more often than once per second does so again, and then the
// waits of backoff::kChildRestart keep it from occupying a core.
inline constexpr FlowLimit kPromptRestarts{.burst = 10, .per_second = 1};

// Starts of one child that the spawner accepts: a supervisor that asks for more is broken or
// compromised. The first start, kPromptRestarts, and the restarts of backoff::kChildRestart fit
// into it (supervisor/children/children.cc compares them).
inline constexpr FlowLimit kSpawns{.burst = 20, .per_second = 2};

// The largest datagram of any type; receive buffers have this size.
inline constexpr std::size_t kMaxDatagram = kHeaderSize + kMaxMetadataBody;

// Descriptors that may be queued for a slow peer on one channel: one answer per ConnectRequest.
inline constexpr std::size_t kMaxQueuedDescriptors = kMaxUnansweredConnects;

// Bytes that may be queued for a slow peer on one channel. A worker has at most 112 requests (the
// sum of the default per-method limits), nearly all far below 4 KiB; a peer that leaves more unread
// is stuck.
inline constexpr std::size_t kMaxQueuedBytes = 8 * 1024 * 1024;

// Who sends a message, as bits.
enum Sender : std::uint8_t {
  kFromSupervisor = 1,
  kFromSpawner = 2,
  kFromWorker = 4,
  kFromAgent = 8,
  kFromAnyChild = kFromSpawner | kFromWorker | kFromAgent,
};

// Messages without a rate limit of their own. Each one answers a request of its receiver, which
// refuses any other: the scheduler of the workers' requests, the sessions of the workers (key
// tables), the channels (Pong) and the owner of the children (Spawned).
inline constexpr FlowLimit kAsAsked{};

// The same for messages of the supervisor, which children trust with the volume of what they must
// do anyway. None costs a child memory: a worker refuses requests beyond kMaxRequests, a key table
// and Tunables replace the last ones, and answers that were not asked for violate the protocol.
inline constexpr FlowLimit kTrusted{};

inline constexpr FlowLimit kOnce{.burst = 1};

// One descriptor of each kind. The auth agent enters a second, narrower filter once its PKCS#11
// module is open.
inline constexpr FlowLimit kTwice{.burst = 2};

// A child keeps to kConnectsPerSecond before it sends; the others may arrive in one moment.
inline constexpr FlowLimit kConnects{.burst = kConnectsPerSecond + kMaxUnansweredConnects,
                                     .per_second = kConnectsPerSecond};

// Connections that the supervisor starts for one child, whichever process is in its slot. One that
// ends keeps its port for a minute (TIME_WAIT), and the node's ports are everybody's: by default it
// has 28,232 (net.ipv4.ip_local_port_range), which 470 connections a second use up, and then no
// other child connects or logs in. An honest worker has at most 16 connections to an endpoint and
// keeps them; the burst replaces all of them ten times, after restarts of OpenBao or of the worker.
// Requests over this rate are answered as a connection that failed. They violate nothing, because
// an honest worker tries often while OpenBao is away.
inline constexpr FlowLimit kConnectsStarted{.burst = 200, .per_second = 20};
inline constexpr double kPortKeptSeconds = 60;
inline constexpr double kNodePorts = 28'232;

// Even if every child connects all the time, 4,000 ports are left for connections that are open (a
// worker may have 96 descriptors) and for others on the node.
static_assert((kMaxWorkers + 1) *
                  (kConnectsStarted.burst + kPortKeptSeconds * kConnectsStarted.per_second) <=
              kNodePorts - 4'000);

// A connection that was reported as usable may be reported as unusable later, and so may those that
// were open before (common/openbao/limit_pairs.cc).
inline constexpr FlowLimit kConnectReports{.burst = 5 * kConnects.burst,
                                           .per_second = 2 * kConnects.per_second};

// A worker asks when it starts, when another agent has started, and after waits of at least half a
// second (backoff::kLogin). The worker that replaces it is counted together with it.
inline constexpr FlowLimit kLoginRequests{.burst = 60, .per_second = 4};
static_assert(kLoginRequests.burst >= 4 * (1 + kPromptRestarts.burst) &&
              kLoginRequests.per_second >= 2 * kPromptRestarts.per_second + 2);

// One for each LoginRequest. The agent works on one request of a worker while another one waits.
inline constexpr FlowLimit kLoginAnswers{.burst = kLoginRequests.burst + 2,
                                         .per_second = kLoginRequests.per_second};

// Sent after each login or renewal, and when a token is no longer used. Renewals fail no more often
// than logins.
inline constexpr FlowLimit kTokenStatuses{.burst = 400, .per_second = 20};
static_assert(kTokenStatuses.burst >= 4 * kLoginRequests.burst &&
              kTokenStatuses.per_second >= 4 * kLoginRequests.per_second);

// Sent after each login for any worker, of which none may have the agent killed by its requests,
// and after each check of the credential.
inline constexpr FlowLimit kAgentStatuses{
    .burst = kMaxWorkers * kLoginRequests.burst + 40,
    .per_second = kMaxWorkers * kLoginRequests.per_second + 4};

// A child logs changes of its state, not individual requests: a record for each status, and as many
// about everything else.
inline constexpr FlowLimit kLogRecords{.burst = 2 * kAgentStatuses.burst,
                                       .per_second = 2 * kAgentStatuses.per_second};

// A PIN is tried at start and when its file changes.
inline constexpr FlowLimit kPinAttempts{.burst = 20, .per_second = 1};

// Each start of a child ends at most once.
inline constexpr FlowLimit kExits{.burst = (kMaxWorkers + 1) * (kSpawns.burst + 1),
                                  .per_second = (kMaxWorkers + 1) * kSpawns.per_second};

// For each start of a child, the agent or all workers receive a channel.
inline constexpr FlowLimit kPeerChannels = kExits;

// The supervisor sends one when it has heard nothing for a while, and no second one before the
// child has answered.
inline constexpr FlowLimit kPings{.burst = 20, .per_second = 20};
static_assert(kPings.per_second * kWorkerSilence.ping * kWorkerSilence.tick >=
                  std::chrono::seconds(2) &&
              kPings.per_second * kAgentSilence.ping * kAgentSilence.tick >=
                  std::chrono::seconds(2));

struct MessageLimits {
  MessageType type{};
  std::uint8_t senders = 0;    // Sender bits; one channel accepts the type from one of them only
  std::size_t max_body = 0;    // bytes
  FlowLimit flow{};            // of one channel, checked by ipc::Dispatch
  std::size_t unanswered = 0;  // requests of one channel that may wait for the supervisor's answer
                               // (supervisor/children/child_channel.h); 0: it answers none
};

inline constexpr std::array kMessages = {
    MessageLimits{MessageType::kHello, kFromAnyChild, kMaxControlBody, kOnce},
    MessageLimits{MessageType::kHelloAnswer, kFromSupervisor, kMaxControlBody, kOnce},
    MessageLimits{MessageType::kProcDescriptor, kFromAnyChild, kMaxControlBody, kTwice},
    MessageLimits{MessageType::kConfinementReport, kFromAnyChild, kMaxControlBody, kTwice},
    MessageLimits{MessageType::kLogRecord, kFromAnyChild, kMaxLogBody, kLogRecords},
    MessageLimits{MessageType::kSyscallRefused, kFromAnyChild, kMaxControlBody, kOnce},
    MessageLimits{MessageType::kStartFailure, kFromAnyChild, kMaxControlBody, kOnce},
    MessageLimits{MessageType::kConnectRequest, kFromWorker | kFromAgent, kMaxControlBody,
                  kConnects, kMaxUnansweredConnects},
    MessageLimits{MessageType::kConnectAnswer, kFromSupervisor, kMaxControlBody, kTrusted},
    MessageLimits{MessageType::kConnectReport, kFromWorker | kFromAgent, kMaxControlBody,
                  kConnectReports},
    MessageLimits{MessageType::kTunables, kFromSupervisor, kMaxControlBody, kTrusted},
    MessageLimits{MessageType::kPing, kFromSupervisor, kMaxControlBody, kPings},
    MessageLimits{MessageType::kPong, kFromWorker | kFromAgent, kMaxControlBody, kAsAsked},

    MessageLimits{MessageType::kKeyTable, kFromSupervisor, kMaxKeyTableBody, kTrusted},
    MessageLimits{MessageType::kKeyTableAnswer, kFromWorker, kMaxControlBody, kAsAsked},
    MessageLimits{MessageType::kEncryptRequest, kFromSupervisor, kMaxKmsBody, kTrusted},
    MessageLimits{MessageType::kEncryptAnswer, kFromWorker, kMaxKmsBody, kAsAsked},
    MessageLimits{MessageType::kDecryptRequest, kFromSupervisor, kMaxDecryptRequestBody, kTrusted},
    MessageLimits{MessageType::kDecryptAnswer, kFromWorker, kMaxKmsBody, kAsAsked},
    MessageLimits{MessageType::kCancelRequest, kFromSupervisor, kMaxControlBody, kTrusted},
    MessageLimits{MessageType::kMetadataRequest, kFromSupervisor, kMaxControlBody, kTrusted},
    MessageLimits{MessageType::kMetadataAnswer, kFromWorker, kMaxMetadataBody, kAsAsked},
    MessageLimits{MessageType::kProbeEncryptRequest, kFromSupervisor, kMaxKmsBody, kTrusted},
    MessageLimits{MessageType::kProbeEncryptAnswer, kFromWorker, kMaxKmsBody, kAsAsked},
    MessageLimits{MessageType::kProbeDecryptRequest, kFromSupervisor, kMaxKmsBody, kTrusted},
    MessageLimits{MessageType::kProbeDecryptAnswer, kFromWorker, kMaxKmsBody, kAsAsked},
    MessageLimits{MessageType::kTokenStatus, kFromWorker, kMaxKmsBody, kTokenStatuses},

    MessageLimits{MessageType::kAgentStatus, kFromAgent, kMaxKmsBody, kAgentStatuses},
    MessageLimits{MessageType::kPinAttemptBegin, kFromAgent, kMaxControlBody, kPinAttempts, 1},
    MessageLimits{MessageType::kPinAttemptAnswer, kFromSupervisor, kMaxControlBody, kTrusted},
    MessageLimits{MessageType::kPinAttemptEnd, kFromAgent, kMaxControlBody, kPinAttempts},

    MessageLimits{MessageType::kLoginRequest, kFromWorker, kMaxControlBody, kLoginRequests},
    MessageLimits{MessageType::kToken, kFromAgent, kMaxTokenBody, kLoginAnswers},
    MessageLimits{MessageType::kLoginFailed, kFromAgent, kMaxControlBody, kLoginAnswers},

    MessageLimits{MessageType::kSpawn, kFromSupervisor, kMaxControlBody, kTrusted},
    MessageLimits{MessageType::kSpawned, kFromSpawner, kMaxControlBody, kAsAsked},
    MessageLimits{MessageType::kKill, kFromSupervisor, kMaxControlBody, kTrusted},
    MessageLimits{MessageType::kExited, kFromSpawner, kMaxControlBody, kExits},
    MessageLimits{MessageType::kPeerChannel, kFromSpawner, kMaxControlBody, kPeerChannels},
};

// Returns the row of this type; an empty one for a number that is not a message type.
[[nodiscard]] constexpr MessageLimits LimitsOf(MessageType type) {
  const auto* found = std::ranges::find(kMessages, type, &MessageLimits::type);
  return found == kMessages.end() ? MessageLimits() : *found;
}

// Nothing that a child sends is without a bound: it has a rate, or it is the answer to a request.
static_assert(std::ranges::all_of(kMessages, [](const MessageLimits& row) {
  return (row.senders & kFromAnyChild) == 0 || row.flow.burst > 0 || IsAnswer(row.type);
}));

// Every request that the supervisor answers more than once has a maximum of unanswered ones.
static_assert(std::ranges::all_of(kMessages, [](const MessageLimits& row) {
  const bool answered = LimitsOf(AnswerTypeOf(row.type)).senders == kFromSupervisor;
  return !answered || IsAnswer(row.type) || row.flow.per_second == 0 || row.unanswered > 0;
}));

static_assert(std::ranges::all_of(kMessages, [](const MessageLimits& row) {
  return row.max_body + kHeaderSize <= kMaxDatagram;
}));

}  // namespace baokms::ipc
