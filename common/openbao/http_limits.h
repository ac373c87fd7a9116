// The maxima of the OpenBao client, each with its reason. They bound what a server can send and how
// much a caller can make the client hold. Sizes are in bytes.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"
#include "common/setup/limits.h"
#include "ipc/limits.h"

namespace baokms::openbao {

// Answers, by what they are (docs/contract.md#requests-to-openbao). Metadata lists one entry per
// key version.
inline constexpr std::size_t kMaxErrorBodyBytes = std::size_t{64} * 1024;
inline constexpr std::size_t kMaxMetadataBodyBytes = std::size_t{4} * 1024 * 1024;
inline constexpr std::size_t kMaxBodyBytes = std::size_t{256} * 1024;

// Status lines, headers and trailers of one exchange, interim answers included. OpenBao sends less
// than 1 KiB; Go's own client allows 1 MiB.
inline constexpr std::size_t kMaxHeaderBytes = std::size_t{64} * 1024;

// Members of one object of an answer. The largest is `data.keys` of the metadata, with one for each
// key version; more do not fit into kMaxMetadataBodyBytes.
inline constexpr std::size_t kMaxAnswerMembers = kMaxMetadataBodyBytes / sizeof "\"1\":1,";

// The answer of an OAuth 2.0 token endpoint (docs/authentication.md#oauth-20-client-credentials).
// One with a JWT has less than 16 KiB.
inline constexpr std::size_t kMaxFormAnswerBytes = std::size_t{1024} * 1024;

// Posts to a token endpoint at the same time: one per worker slot and one look at the credential.
inline constexpr std::size_t kMaxFormPosts = 32;

// Service tokens have about 30 characters. Batch tokens carry their policies and metadata, about 60
// characters for each policy with a long name, and OpenBao itself sets no limit. This one is above
// what the proxies that stand before OpenBao let through as a header.
inline constexpr std::size_t kMaxTokenBytes = std::size_t{32} * 1024;

// A credential file may have 1 MiB (docs/config.md#files).
inline constexpr std::size_t kMaxJwtBytes = std::size_t{1024} * 1024;

// Any other text or bytes that go into a request: what one gRPC message can hold.
inline constexpr std::size_t kMaxRequestFieldBytes = 65536;

inline constexpr std::int64_t kMaxLeaseSeconds = setup::kLongestSeconds;

// Calls in progress, waiting ones included. The callers have their own, lower limits.
inline constexpr std::size_t kMaxCalls = 4096;

// What ClientOptions may ask for.
using setup::kMaxConnections;
using setup::kMaxEndpoints;

// Attempts of one call: every address of every endpoint once. Its deadline normally ends it long
// before.
inline constexpr std::size_t kMaxAttempts = kMaxEndpoints * ipc::kMaxAddresses;

// A connection that can still be established is never given up sooner than this, however many
// addresses are left: the delay that RFC 8305, section 5 recommends between attempts.
inline constexpr BootTime kMinConnectLimit = std::chrono::milliseconds(250);

// Connections for kFresh calls that may exist beyond max_connections: verification must not wait
// for, or close, the connections that serve.
inline constexpr std::uint32_t kFreshReserve = 4;

// How long a socket is kept that no call needed when it arrived. OpenBao closes the connection of a
// silent client after 10 s.
inline constexpr BootTime kSpareSocketLife = std::chrono::seconds(2);

// A kept-alive connection is not used again after this time.
inline constexpr long kIdleConnectionSeconds = 90;

// Wait before a repeated request, chosen at random between the two.
inline constexpr std::chrono::milliseconds kMinRetryDelay{5};
inline constexpr std::chrono::milliseconds kMaxRetryDelay{50};

}  // namespace baokms::openbao
