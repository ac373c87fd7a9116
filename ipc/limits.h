// Every maximum of the IPC channels, with its reason: the size of each message, the range of its
// fields, and the rate at which one peer may send it. Both ends of a channel include this file, so
// they cannot disagree. A message that exceeds a maximum violates the protocol, and its sender is
// killed.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "ipc/message_type.h"

namespace baokms::ipc {

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

// Unanswered ConnectRequests, including those whose caller has given up. A client has at most 64
// connections; a child that accumulates more is compromised, and a broker that does is not
// responding.
inline constexpr std::size_t kMaxUnansweredConnects = 256;

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

// A child logs changes of its state, not individual requests, except at level debug.
inline constexpr FlowLimit kLogRecordFlow{.burst = 1000, .per_second = 100};

// The largest datagram of any type; receive buffers have this size.
inline constexpr std::size_t kMaxDatagram = kHeaderSize + kMaxMetadataBody;

// Descriptors that may be queued for a slow peer on one channel: one answer per ConnectRequest.
inline constexpr std::size_t kMaxQueuedDescriptors = kMaxUnansweredConnects;

// Bytes that may be queued for a slow peer on one channel. A worker has at most 112 requests (the
// sum of the default per-method limits), nearly all far below 4 KiB; a peer that leaves more unread
// is stuck.
inline constexpr std::size_t kMaxQueuedBytes = 8 * 1024 * 1024;

// Returns the maximum size of a body of this type; 0 for a number that is not a message type.
[[nodiscard]] std::size_t MaxBodySize(MessageType type);

// Returns how often a peer may send this type, from the same table as the sizes
// (ipc/message_type.cc).
[[nodiscard]] FlowLimit FlowLimitOf(MessageType type);

}  // namespace baokms::ipc
