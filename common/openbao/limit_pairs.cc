// Compares limits that two layers define for the same thing. Each layer must accept what the other
// accepts: otherwise a value could be accepted first and then refused permanently. This folder has
// access to all three tables.

#include "common/contract/limits.h"
#include "common/openbao/http_limits.h"
#include "common/setup/limits.h"
#include "ipc/child_descriptors.h"
#include "ipc/limits.h"
#include "ipc/sealed.h"

namespace baokms::openbao {

// The whole registry must fit into a message to the workers.
static_assert(ipc::kMaxKeyVersions == contract::kMaxKeyRecords);

// All metadata that a worker reads must reach the supervisor, which checks it.
static_assert(ipc::kMaxMetadataVersions == contract::kMaxListedVersions);
static_assert(contract::kMaxListedVersions >= contract::kMaxKeyRecords);

// An entry of `keys` such as "16384":1732567890, has at least 16 bytes from version 1,000 on, so
// the limit of the body is reached before the number of entries is.
static_assert(kMaxMetadataBodyBytes / 16 <= contract::kMaxListedVersions);

// All parts of one metadata answer may be queued for a slow supervisor at the same time.
static_assert(ipc::kMaxMetadataVersions / ipc::kMaxKeyVersions * ipc::kMaxDatagram <=
              ipc::kMaxQueuedBytes);

// A child may report each connection that it has at its maximum as unusable at once, after the
// reports of those that it may request (ipc::kConnectReports).
static_assert(kMaxEndpoints * (setup::kMaxConnections + kFreshReserve) + 2 * ipc::kConnects.burst <=
              ipc::kConnectReports.burst);

// The numbers of all addresses of an endpoint fit into a ConnectRequest.
static_assert(ipc::kMaxAddresses * 5 + 64 <= ipc::kMaxControlBody);

// One post per worker slot and one check of the credential.
static_assert(kMaxFormPosts > ipc::kMaxWorkers);

// The set-up of the auth agent has two CA bundles: OpenBao's and the token endpoint's.
static_assert(2 * setup::kMaxCaBundleBytes + std::size_t{512} * 1024 <= ipc::kMaxSetup);

// What a caller may have in one message fits into the fields of a request to OpenBao.
static_assert(contract::kMaxCiphertextBytes <= kMaxRequestFieldBytes);

// A DecryptRequest contains what gRPC accepted; a KMS answer contains a ciphertext and its calls.
static_assert(ipc::kMaxDecryptRequestBody > contract::kMaxGrpcMessageBytes);
static_assert(ipc::kMaxKmsBody > contract::kMaxCiphertextBytes + ipc::kMaxCalls * 170);

// The state file has room for the maximum number of records.
static_assert(contract::kMaxRecordBytes > 6 * contract::kMaxIdentityFieldBytes);
static_assert(contract::kMaxStateFileBytes / contract::kMaxRecordBytes >= contract::kMaxKeyRecords);

}  // namespace baokms::openbao
