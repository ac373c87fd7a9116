// A KMS service with workers and a view that a test controls, and the requests that it was sent.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/contract/encoding.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/kms/service.h"
#include "tests/supervisor/kms/fakes.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {

// Well-formed, and of no key in the view.
inline std::string OtherKeyId() {
  return std::string(contract::BindKey(GoldenIdentity(), {4, 1715803300})->key_id.text());
}

class ServiceTest : public ::testing::Test {
 protected:
  struct Ended {
    GrpcCode code = GrpcCode::kOk;
    std::string text;
    v2::EncryptResponse encrypted;
    std::string plaintext;
  };

  KmsCallPtr StartEncrypt(const std::string& plaintext, BootTime deadline = BootTime::max()) {
    v2::EncryptRequest request;
    request.set_plaintext(plaintext);
    return world_.service.Encrypt(
        request, deadline, [this](const PublicError& error, const v2::EncryptResponse& response) {
          ended_.push_back({error.code, std::string(error.text), response, ""});
        });
  }

  KmsCallPtr StartDecrypt(v2::DecryptRequest request, BootTime deadline = BootTime::max()) {
    return world_.service.Decrypt(
        request, deadline,
        [this](const PublicError& error, std::span<const std::uint8_t> plaintext) {
          ended_.push_back({error.code, std::string(error.text), v2::EncryptResponse(),
                            std::string(plaintext.begin(), plaintext.end())});
        });
  }

  Ended Await() {
    EXPECT_TRUE(RunUntil(*world_.loop, [this] { return !ended_.empty(); }));
    return ended_.empty() ? Ended() : ended_.front();
  }

  Ended Encrypt(const std::string& plaintext) {
    ended_.clear();
    StartEncrypt(plaintext);
    return Await();
  }

  Ended Decrypt(const v2::DecryptRequest& request) {
    ended_.clear();
    StartDecrypt(request);
    return Await();
  }

  FakeWorld world_;
  std::vector<Ended> ended_;
};

}  // namespace baokms::supervisor
