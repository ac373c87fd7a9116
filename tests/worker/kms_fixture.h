// The KMS operations with a token, a table and an OpenBao that says yes to everything.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "common/openbao/error_class.h"
#include "proto/ipc.pb.h"
#include "tests/worker/fake_transit.h"
#include "tests/worker/worker_fixture.h"
#include "worker/operations.h"

namespace baokms::worker {

using openbao::ErrorClass;

template <typename Value>
using Reply = std::optional<FakeTransit::Reply<Value>>;

// A worker with a token and a table: versions 1 and 2, of which 2 encrypts.
class KmsTest : public WorkerFixture {
 protected:
  KmsTest() {
    tokens->Start();
    GiveToken(0, "s.first");
    transit.on_read_key = [](const FakeTransit::Call&) -> Reply<contract::TransitKeyMetadata> {
      return {{ErrorClass::kOk, MakeMetadata(2)}};
    };
    transit.on_read_upsert = [](const FakeTransit::Call&) -> Reply<openbao::UpsertValue> {
      return {{ErrorClass::kOk, {true}}};
    };
    transit.on_encrypt = [](const FakeTransit::Call& call) -> Reply<openbao::EncryptValue> {
      return {{ErrorClass::kOk, {MakeCiphertext(call.version), call.version}}};
    };
    transit.on_decrypt = [](const FakeTransit::Call&) -> Reply<SecretBuffer> {
      return {{ErrorClass::kOk, Secret("kubernetes secret payload")}};
    };
    Publish(MakeTable(1, 2, 2));
  }

  ipc::KeyTableAnswer Publish(const ipc::KeyTable& table) {
    EXPECT_TRUE(kms->OnKeyTable(table).has_value());
    return TakeAnswer<ipc::KeyTableAnswer>();
  }

  ipc::EncryptRequest MakeEncrypt(std::uint64_t id = 1) {
    ipc::EncryptRequest request;
    request.set_id(id);
    request.set_deadline_ns(Soon());
    request.set_table_generation(1);
    request.set_key_id(std::string(Bind(2).key_id.text()));
    request.set_plaintext("kubernetes secret payload");
    return request;
  }

  ipc::EncryptAnswer Encrypt(ipc::EncryptRequest request) {
    EXPECT_TRUE(kms->Admit<EncryptOperation>(request).has_value());
    return TakeAnswer<ipc::EncryptAnswer>();
  }

  ipc::DecryptAnswer Decrypt(ipc::DecryptRequest request) {
    EXPECT_TRUE(kms->Admit<DecryptOperation>(request).has_value());
    return TakeAnswer<ipc::DecryptAnswer>();
  }

  ipc::MetadataAnswer ReadMetadata() {
    ipc::MetadataRequest request;
    request.set_id(77);
    request.set_deadline_ns(Soon());
    EXPECT_TRUE(kms->Admit<MetadataOperation>(request).has_value());
    return TakeAnswer<ipc::MetadataAnswer>();
  }
};

}  // namespace baokms::worker
