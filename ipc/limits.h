// Every maximum of the IPC channels, with its reason. A datagram over the maximum of its type is a
// protocol breach, found before a byte of it is parsed.

#pragma once

#include <cstddef>

#include "ipc/message_type.h"

namespace baokms::ipc {

// The type number in front of every message.
inline constexpr std::size_t kHeaderSize = 2;

// Control messages hold a few numbers and words of a fixed vocabulary.
inline constexpr std::size_t kMaxControlBody = 512;

// A log record of a child: 16 fields of at most 256 bytes and their keys (ipc/log_message.h cuts).
inline constexpr std::size_t kMaxLogBody = 8 * 1024;
inline constexpr std::size_t kMaxLogFields = 16;
inline constexpr std::size_t kMaxLogText = 256;

// Versions in a key table or in metadata: one rotation a day for five years. A table of them has to
// fit a datagram, and the kernel's default send buffer (net.core.wmem_default) holds 208 KiB.
inline constexpr std::size_t kMaxKeyVersions = 2048;

// A key table entry is at most 70 bytes on the wire: key_id 50, version 6, time 11, framing 3.
inline constexpr std::size_t kMaxKeyTableBody = kMaxKeyVersions * 70 + 256;

// A version and its creation time are at most 20 bytes; the rest is flags, calls and one name.
inline constexpr std::size_t kMaxMetadataBody = kMaxKeyVersions * 20 + 4096;

// A DecryptRequest repeats what gRPC accepted (at most 64 KiB) and adds three numbers.
inline constexpr std::size_t kMaxDecryptRequestBody = 65'536 + 256;

// Plaintext that still gives a ciphertext below 1,024 bytes, or that ciphertext and eight
// annotations of ours; each call of a retried request adds at most 170 bytes.
inline constexpr std::size_t kMaxKmsBody = 8 * 1024;

// HTTP exchanges that one operation can need: first try, retry, token replaced, retry; a metadata
// read is two of these.
inline constexpr std::size_t kMaxCalls = 16;

// OpenBao tokens: 26 to about 100 characters for service tokens, up to 2 KiB seen for batch tokens.
inline constexpr std::size_t kMaxToken = 4096;
inline constexpr std::size_t kTokenHeaderSize = 16 + 4 + 1;
inline constexpr std::size_t kMaxTokenBody = kTokenHeaderSize + kMaxToken;

inline constexpr std::size_t kLoginRequestIdSize = 16;

// The largest datagram of all; receive buffers have this size.
inline constexpr std::size_t kMaxDatagram = kHeaderSize + kMaxKeyTableBody;

// What may wait for a slow peer on one channel. A worker has at most 112 requests (the sum of the
// default per-method limits), nearly all far below 4 KiB; a peer that lets more pile up is stuck.
inline constexpr std::size_t kMaxQueuedBytes = 8 * 1024 * 1024;

// The most a body of this type may hold; 0 for a number that is not a message.
[[nodiscard]] std::size_t MaxBodySize(MessageType type);

}  // namespace baokms::ipc
