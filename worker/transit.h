// The OpenBao calls a worker makes, as an interface: the seam at which tests stand in for OpenBao.
// What each call means is told in common/openbao/api.h.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "common/base/secret_buffer.h"
#include "common/contract/key_profile.h"
#include "common/openbao/api.h"

namespace baokms::worker {

class Transit {
 public:
  virtual ~Transit() = default;

  virtual openbao::CallId ReadKey(const openbao::CallContext& context,
                                  openbao::Done<contract::TransitKeyMetadata> done) = 0;
  virtual openbao::CallId ReadUpsert(const openbao::CallContext& context,
                                     openbao::Done<openbao::UpsertValue> done) = 0;
  virtual openbao::CallId Encrypt(const openbao::CallContext& context,
                                  std::int64_t key_version,
                                  std::span<const std::uint8_t> plaintext,
                                  std::string_view aad_base64,
                                  openbao::Done<openbao::EncryptValue> done) = 0;
  virtual openbao::CallId Decrypt(const openbao::CallContext& context,
                                  std::string_view ciphertext,
                                  std::string_view aad_base64,
                                  openbao::Done<SecretBuffer> done) = 0;
  virtual openbao::CallId RenewSelf(const openbao::CallContext& context,
                                    std::int64_t increment_seconds,
                                    openbao::Done<openbao::AuthValue> done) = 0;
  virtual void Cancel(openbao::CallId call) = 0;

 protected:
  Transit() = default;
  Transit(const Transit&) = default;
  Transit& operator=(const Transit&) = default;
};

// Hands every call on to `client`, which must outlive the result.
std::unique_ptr<Transit> MakeTransit(openbao::Client& client);

}  // namespace baokms::worker
