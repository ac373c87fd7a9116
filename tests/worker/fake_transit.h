// OpenBao as the tests want it: each call is answered by a function of the test, a moment later on
// the loop, or not at all when there is none.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/secret_buffer.h"
#include "common/openbao/api.h"

namespace baokms::worker {

// A secret of this text.
SecretBuffer Secret(std::string text);
std::string Reveal(const SecretBuffer& secret);

class FakeTransit final : public openbao::Transit {
 public:
  template <typename Value>
  struct Reply {
    openbao::ErrorClass error_class = openbao::ErrorClass::kOk;
    Value value{};
  };

  // What a call was started with; `argument` is the ciphertext, the plaintext or the increment.
  struct Call {
    std::string token;
    BootTime deadline{};
    openbao::ConnectionUse connection{};
    std::string argument;
    std::string aad;
    std::int64_t version = 0;
  };

  template <typename Value>
  using Answerer = std::function<std::optional<Reply<Value>>(const Call&)>;

  explicit FakeTransit(EventLoop& loop) : loop_(loop) {}

  // Nothing, or no function: the call stays open until it is cancelled.
  Answerer<contract::TransitKeyMetadata> on_read_key;
  Answerer<openbao::UpsertValue> on_read_upsert;
  Answerer<openbao::EncryptValue> on_encrypt;
  Answerer<SecretBuffer> on_decrypt;
  Answerer<openbao::AuthValue> on_renew;

  [[nodiscard]] const std::vector<ipc::OpenBaoOperation>& started() const { return started_; }

  [[nodiscard]] std::size_t Count(ipc::OpenBaoOperation operation) const;

  [[nodiscard]] std::size_t open() const { return open_.size(); }

  openbao::CallId ReadKey(const openbao::CallContext& context,
                          openbao::Done<contract::TransitKeyMetadata> done) override;
  openbao::CallId ReadUpsert(const openbao::CallContext& context,
                             openbao::Done<openbao::UpsertValue> done) override;
  openbao::CallId Encrypt(const openbao::CallContext& context,
                          std::int64_t key_version,
                          std::span<const std::uint8_t> plaintext,
                          std::string_view aad_base64,
                          openbao::Done<openbao::EncryptValue> done) override;
  openbao::CallId Decrypt(const openbao::CallContext& context,
                          std::string_view ciphertext,
                          std::string_view aad_base64,
                          openbao::Done<SecretBuffer> done) override;
  openbao::CallId RenewSelf(const openbao::CallContext& context,
                            std::int64_t increment_seconds,
                            openbao::Done<openbao::AuthValue> done) override;

  void Cancel(openbao::CallId call) override { open_.erase(call); }

 private:
  template <typename Value>
  openbao::CallId Start(ipc::OpenBaoOperation operation,
                        Call call,
                        const Answerer<Value>& answerer,
                        openbao::Done<Value> done);

  EventLoop& loop_;
  std::vector<ipc::OpenBaoOperation> started_;
  std::set<openbao::CallId> open_;
  openbao::CallId last_ = 0;
};

}  // namespace baokms::worker
