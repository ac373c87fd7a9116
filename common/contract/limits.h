// Every maximum of the data contract (docs/contract.md#limits), each with its reason. Sizes are
// bytes.
//
// These bound what kube-apiserver, OpenBao, the operator and the state directory may hand us. What
// the processes send each other is bounded in ipc/limits.h.

#pragma once

#include <cstddef>
#include <cstdint>

namespace baokms::contract {

// The KMS v2 protocol wants ciphertexts shorter than 1 KiB.
inline constexpr std::size_t kMaxCiphertextBytes = 1023;

// The same protocol rule for key_id. Ours is always kKeyIdBytes long; this is the bound that is
// checked first, so that an oversized value is a limit and not a malformed key_id.
inline constexpr std::size_t kMaxKeyIdRequestBytes = 1023;

// KMS v2: all keys and values of the annotations together stay below 32 KiB.
inline constexpr std::size_t kMaxAnnotationsBytes = 32767;

// RFC 1035: a domain name and one of its labels. Annotation keys are domain names.
inline constexpr std::size_t kMaxAnnotationKeyBytes = 253;
inline constexpr std::size_t kMaxAnnotationLabelBytes = 63;

// One gRPC message, either direction; above it gRPC refuses before a handler runs. Twice the
// annotation limit leaves room for the framing of any request that passes the other limits.
inline constexpr std::size_t kMaxGrpcMessageBytes = 65536;

// AES-256-GCM as Transit lays it out: nonce, then the plaintext's length, then the tag.
inline constexpr std::size_t kGcmNonceBytes = 12;
inline constexpr std::size_t kGcmTagBytes = 16;

// One identity value of the configuration (names, ids, paths). The longest real ones are
// namespaces, which OpenBao keeps far below this; six of them must fit into one IPC message.
inline constexpr std::size_t kMaxIdentityFieldBytes = 1024;

// Records in the registry. Records are never dropped: a rotation each hour fills this in almost two
// years, one each day in 44. A full registry goes on with its active version.
inline constexpr std::size_t kMaxKeyRecords = 16384;

// From this many records on, a finding and a metric tell the operator: three quarters, so that at
// one rotation an hour half a year is left.
inline constexpr std::size_t kManyKeyRecords = kMaxKeyRecords / 4 * 3;

// Version entries in one key's metadata. OpenBao lists versions that no registry here needs, so
// this is well above kMaxKeyRecords: the active version must stay usable however many there are.
inline constexpr std::size_t kMaxListedVersions = 16 * kMaxKeyRecords;

// A record is about 600 bytes on disk and at most 8 KiB, with six identity values of the longest
// kind (kMaxIdentityFieldBytes): this holds kMaxKeyRecords of them.
inline constexpr std::size_t kMaxRecordBytes = std::size_t{8} * 1024;
inline constexpr std::size_t kMaxStateFileBytes = kMaxKeyRecords * kMaxRecordBytes;

// Members of one object in a state file or checkpoint. The largest, a record, has 15.
inline constexpr std::size_t kMaxFileMembers = 32;

// A checkpoint is 157 bytes; the rest is room for whitespace and a 20 digit generation.
inline constexpr std::size_t kMaxCheckpointFileBytes = 4096;

// Versions, times and counts are signed 64 bit in the other implementation and in OpenBao.
inline constexpr std::int64_t kMaxInteger = INT64_MAX;

}  // namespace baokms::contract
