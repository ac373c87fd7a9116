#include "worker/transit.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "common/base/secret_buffer.h"
#include "common/contract/key_profile.h"
#include "common/openbao/api.h"

namespace baokms::worker {
namespace {

class ClientTransit final : public Transit {
 public:
  explicit ClientTransit(openbao::Client& client) : client_(client) {}

  openbao::CallId ReadKey(const openbao::CallContext& context,
                          openbao::Done<contract::TransitKeyMetadata> done) override {
    return client_.ReadKey(context, std::move(done));
  }

  openbao::CallId ReadUpsert(const openbao::CallContext& context,
                             openbao::Done<openbao::UpsertValue> done) override {
    return client_.ReadUpsert(context, std::move(done));
  }

  openbao::CallId Encrypt(const openbao::CallContext& context,
                          std::int64_t key_version,
                          std::span<const std::uint8_t> plaintext,
                          std::string_view aad_base64,
                          openbao::Done<openbao::EncryptValue> done) override {
    return client_.Encrypt(context, key_version, plaintext, aad_base64, std::move(done));
  }

  openbao::CallId Decrypt(const openbao::CallContext& context,
                          std::string_view ciphertext,
                          std::string_view aad_base64,
                          openbao::Done<SecretBuffer> done) override {
    return client_.Decrypt(context, ciphertext, aad_base64, std::move(done));
  }

  openbao::CallId RenewSelf(const openbao::CallContext& context,
                            std::int64_t increment_seconds,
                            openbao::Done<openbao::AuthValue> done) override {
    return client_.RenewSelf(context, increment_seconds, std::move(done));
  }

  void Cancel(openbao::CallId call) override { client_.Cancel(call); }

 private:
  openbao::Client& client_;
};

}  // namespace

std::unique_ptr<Transit> MakeTransit(openbao::Client& client) {
  return std::make_unique<ClientTransit>(client);
}

}  // namespace baokms::worker
