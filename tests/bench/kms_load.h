// KMS v2 calls over the provider's unix socket, through gRPC's asynchronous client on one HTTP/2
// connection, as kube-apiserver has. It knows nothing of OpenBao.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "proto/kms_v2.grpc.pb.h"
#include "tests/bench/recorder.h"
#include "tests/bench/step.h"

namespace baokms::bench {

// A channel to the socket whose :authority is "localhost". It connects with the first call.
std::shared_ptr<grpc::Channel> MakeKmsChannel(const std::string& socket_path);

// An Encrypt request with random bytes.
v2::EncryptRequest RandomEncryptRequest();

class KmsLoad {
 public:
  // Connects with the first call.
  explicit KmsLoad(const std::string& socket_path);

  // Encrypts kDistinctRequests seeds the first time, unless `operation` is Status, to have
  // something to decrypt. Says on standard error what the provider answered when that fails.
  Status Prepare(Operation operation);

  // Keeps `concurrency` calls in flight until the recorder is closed and all have ended. Fails with
  // the first call that fails or whose answer is wrong. Prepare() comes before.
  Status Run(Operation operation, std::size_t concurrency, Recorder& recorder);

 private:
  std::unique_ptr<v2::KeyManagementService::Stub> stub_;
  std::vector<v2::EncryptRequest> encrypts_;
  std::vector<v2::DecryptRequest> decrypts_;  // of the plaintexts in encrypts_, in their order
  std::vector<v2::StatusRequest> statuses_;
};

}  // namespace baokms::bench
