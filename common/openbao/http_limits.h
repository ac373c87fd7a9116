// Every maximum of the OpenBao client, each with its reason. They limit what a server can send and
// how much a caller can make the client hold. Sizes are in bytes.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"
#include "common/contract/limits.h"
#include "common/setup/limits.h"
#include "ipc/limits.h"

namespace baokms::openbao {

// Response bodies by type (docs/contract.md#requests-to-openbao). Metadata lists one entry per key
// version.
inline constexpr std::size_t kMaxErrorBodyBytes = std::size_t{64} * 1024;
inline constexpr std::size_t kMaxMetadataBodyBytes = std::size_t{4} * 1024 * 1024;
inline constexpr std::size_t kMaxBodyBytes = std::size_t{256} * 1024;

// Status lines, headers and trailers of one exchange, including interim responses. OpenBao sends
// less than 1 KiB; Go's own client allows 1 MiB.
inline constexpr std::size_t kMaxHeaderBytes = std::size_t{64} * 1024;

// Members of one object of a response. The largest object is `data.keys` of the metadata, with one
// member per key version; more do not fit into kMaxMetadataBodyBytes.
inline constexpr std::size_t kMaxAnswerMembers = kMaxMetadataBodyBytes / sizeof "\"1\":1,";

// The response of an OAuth 2.0 token endpoint (docs/authentication.md#oauth-20-client-credentials).
// One with a JWT has less than 16 KiB.
inline constexpr std::size_t kMaxFormAnswerBytes = std::size_t{1024} * 1024;

// Concurrent posts to a token endpoint: one per worker slot and one credential check.
inline constexpr std::size_t kMaxFormPosts = 32;

// Service tokens have about 30 characters. Batch tokens contain their policies and metadata, about
// 60 characters for each policy with a long name, and OpenBao itself sets no limit. This limit is
// higher than the header size that proxies in front of OpenBao accept. A token that the agent
// receives must reach a worker, which sends it to OpenBao.
inline constexpr std::size_t kMaxTokenBytes = ipc::kMaxToken;

// A credential file may have 1 MiB (docs/config.md#files).
inline constexpr std::size_t kMaxJwtBytes = std::size_t{1024} * 1024;

// Any other text or bytes in a request: at most what one gRPC message holds.
inline constexpr std::size_t kMaxRequestFieldBytes = contract::kMaxGrpcMessageBytes;

inline constexpr std::int64_t kMaxLeaseSeconds = setup::kMaxSeconds;

// Calls in progress, including waiting ones. The callers have lower limits of their own.
inline constexpr std::size_t kMaxCalls = 4096;

// The limits of ClientOptions.
using setup::kMaxConnections;
using setup::kMaxEndpoints;

// Attempts of one call: every address of every endpoint once. Normally the deadline ends the call
// long before.
inline constexpr std::size_t kMaxAttempts = kMaxEndpoints * ipc::kMaxAddresses;

// The minimum time for connecting to the first address of a call, however many addresses remain:
// the delay between attempts that RFC 8305, section 5 recommends.
inline constexpr BootTime kMinConnectTimeout = std::chrono::milliseconds(250);

// Connections for kFresh calls that may exist in addition to max_connections: verification must
// neither wait for the connections in service nor close them.
inline constexpr std::uint32_t kFreshReserve = 4;

// How long an unneeded socket is kept. OpenBao closes the connection of a silent client after 10 s.
inline constexpr BootTime kSpareSocketLifetime = std::chrono::seconds(2);

// A kept-alive connection is not reused after this time.
inline constexpr long kIdleConnectionSeconds = 90;

}  // namespace baokms::openbao
