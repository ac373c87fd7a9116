// Every maximum of a sealed set-up, each with its reason. Both the configuration and the process
// that receives the set-up refuse anything above them.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "ipc/limits.h"

namespace baokms::setup {

// Addresses of OpenBao. Each one uses an address of 192.0.2.0/24 as its name within libcurl, and no
// cluster has more than a handful of nodes.
inline constexpr std::size_t kMaxEndpoints = 64;

// More than 16 connections per process bring no benefit (tests/bench/README.md); the remainder
// leaves room for measurements.
inline constexpr std::uint32_t kMaxConnections = 64;

// A lease or any other duration beyond 100 years is a mistake. The sum of two such durations still
// fits into 64 bits of nanoseconds.
inline constexpr std::int64_t kMaxSeconds = ipc::kMaxLeaseSeconds;
inline constexpr std::chrono::nanoseconds kMaxTime = std::chrono::seconds(kMaxSeconds);

// A DNS name (RFC 1035) and one of its labels.
inline constexpr std::size_t kMaxHostName = 253;
inline constexpr std::size_t kMaxHostLabel = 63;

// A CA bundle. The complete set of public CAs takes about 250 KiB.
inline constexpr std::size_t kMaxCaBundleBytes = std::size_t{1} << 20;

// CK_TOKEN_INFO (PKCS #11) has fixed-size fields of these lengths.
inline constexpr std::size_t kMaxTokenLabel = 32;
inline constexpr std::size_t kMaxTokenSerial = 16;
inline constexpr std::size_t kMaxSlotDescription = 64;

}  // namespace baokms::setup
