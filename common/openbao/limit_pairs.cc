// The limits that two layers have for the same thing, compared. Whatever one end lets through the
// other has to take: a pair that differs is a value that is accepted first and refused later, for
// ever. This folder sees all three tables.

#include "common/contract/limits.h"
#include "common/openbao/http_limits.h"
#include "ipc/limits.h"

namespace baokms::openbao {

// The whole registry has to reach the workers.
static_assert(ipc::kMaxKeyVersions == contract::kMaxKeyRecords);

// Whatever a worker reads of the key has to reach the supervisor, and be judged there.
static_assert(ipc::kMaxMetadataVersions == contract::kMaxListedVersions);
static_assert(contract::kMaxListedVersions >= contract::kMaxKeyRecords);

// An entry of `keys` such as "16384":1732567890, has at least 16 bytes from version 1,000 on, so
// the limit of the body is reached before the number of entries is.
static_assert(kMaxMetadataBodyBytes / 16 <= contract::kMaxListedVersions);

// All parts of one metadata answer may have to wait for a slow supervisor at once.
static_assert(ipc::kMaxMetadataVersions / ipc::kMaxKeyVersions * ipc::kMaxDatagram <=
              ipc::kMaxQueuedBytes);

// A token that the agent takes from OpenBao has to reach a worker, which sends it back to OpenBao.
static_assert(ipc::kMaxToken == kMaxTokenBytes);

// A DecryptRequest carries what gRPC accepted; a KMS answer carries a ciphertext and its calls.
static_assert(ipc::kMaxDecryptRequestBody > contract::kMaxGrpcMessageBytes);
static_assert(ipc::kMaxKmsBody > contract::kMaxCiphertextBytes + ipc::kMaxCalls * 170);

// The state file holds every record that the registry may have.
static_assert(contract::kMaxRecordBytes > 6 * contract::kMaxIdentityFieldBytes);
static_assert(contract::kMaxStateFileBytes / contract::kMaxRecordBytes >= contract::kMaxKeyRecords);

}  // namespace baokms::openbao
