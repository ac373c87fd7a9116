// Every maximum of the data contract (docs/contract.md#limits), each with its reason. Sizes are in
// bytes.
//
// These maxima bound input from kube-apiserver, OpenBao, the operator and the state directory.
// Messages between the processes are bounded in ipc/limits.h.

#pragma once

#include <cstddef>
#include <cstdint>

namespace baokms::contract {

// The KMS v2 protocol requires ciphertexts shorter than 1 KiB.
inline constexpr std::size_t kMaxCiphertextBytes = 1023;

// The same protocol rule for key_id. Ours always has 48 bytes; this bound is checked first, so
// that an oversized value is reported as a limit and not as a malformed key_id.
inline constexpr std::size_t kMaxKeyIdRequestBytes = 1023;

// KMS v2: all keys and values of the annotations together must stay below 32 KiB.
inline constexpr std::size_t kMaxAnnotationsBytes = 32767;

// RFC 1035: a domain name and one of its labels. Annotation keys are domain names.
inline constexpr std::size_t kMaxAnnotationKeyBytes = 253;
inline constexpr std::size_t kMaxAnnotationLabelBytes = 63;

// One gRPC message in either direction; gRPC refuses larger ones before a handler runs. Twice the
// annotation limit leaves room for the framing of any request that passes the other limits.
inline constexpr std::size_t kMaxGrpcMessageBytes = 65536;

// AES-256-GCM as Transit encodes it: the nonce, the ciphertext (as long as the plaintext), the tag.
inline constexpr std::size_t kGcmNonceBytes = 12;
inline constexpr std::size_t kGcmTagBytes = 16;

// One identity value of the configuration (names, ids, paths). The longest values in practice are
// namespaces, which OpenBao keeps far below this limit; six of them must fit into one IPC message.
inline constexpr std::size_t kMaxIdentityFieldBytes = 1024;

// Records in the registry. Records are never dropped: one rotation per hour fills the registry in
// almost two years, one per day in 44. A full registry continues with its active version.
inline constexpr std::size_t kMaxKeyRecords = 16384;

// From this number of records on, a finding and a metric warn the operator: three quarters of the
// maximum, which leaves half a year at one rotation per hour.
inline constexpr std::size_t kManyKeyRecords = kMaxKeyRecords / 4 * 3;

// Version entries in the metadata of one key. OpenBao also lists versions that no registry needs,
// so this is well above kMaxKeyRecords: the active version must stay usable however many there are.
inline constexpr std::size_t kMaxListedVersions = 16 * kMaxKeyRecords;

// A record takes about 600 bytes on disk and at most 8 KiB, with six identity values of the maximum
// length (kMaxIdentityFieldBytes). A file of this size holds kMaxKeyRecords of them.
inline constexpr std::size_t kMaxRecordBytes = std::size_t{8} * 1024;
inline constexpr std::size_t kMaxStateFileBytes = kMaxKeyRecords * kMaxRecordBytes;

// Members of one object in a state file or checkpoint. The largest, a record, has 15.
inline constexpr std::size_t kMaxFileMembers = 32;

// A checkpoint has 157 bytes; the remainder is room for whitespace and a 20-digit generation.
inline constexpr std::size_t kMaxCheckpointFileBytes = 4096;

// Versions, times and counts are signed 64-bit integers in the other implementation and in OpenBao.
inline constexpr std::int64_t kMaxInteger = INT64_MAX;

}  // namespace baokms::contract
