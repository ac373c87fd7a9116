#include "tests/worker/fake_transit.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "common/base/event_loop.h"
#include "common/base/secret_buffer.h"
#include "common/openbao/api.h"

namespace baokms::worker {
namespace {

FakeTransit::Call Describe(const openbao::CallContext& context) {
  return {Reveal(*context.token), context.deadline, context.connection, "", "", 0};
}

}  // namespace

SecretBuffer Secret(std::string text) {
  return SecretBuffer::TakeFrom(text).value();
}

std::string Reveal(const SecretBuffer& secret) {
  return {secret.Reveal().begin(), secret.Reveal().end()};
}

std::size_t FakeTransit::Count(ipc::OpenBaoOperation operation) const {
  return static_cast<std::size_t>(std::ranges::count(started_, operation));
}

template <typename Value>
openbao::CallId FakeTransit::Start(ipc::OpenBaoOperation operation,
                                   Call call,
                                   const Answerer<Value>& answerer,
                                   openbao::Done<Value> done) {
  const openbao::CallId id = ++last_;
  started_.push_back(operation);
  open_.insert(id);
  std::optional<Reply<Value>> reply = answerer ? answerer(call) : std::nullopt;
  if (!reply) {
    return id;
  }
  auto shared = std::make_shared<Reply<Value>>(std::move(*reply));
  loop_.After({}, [this, id, operation, shared, done = std::move(done)] {
    if (open_.erase(id) == 0) {
      return;
    }
    openbao::CallReport report;
    report.error_class = shared->error_class;
    report.calls = {{operation, shared->error_class, 1000, "request-1"}};
    report.connect_us = 20;
    report.openbao_us = 300;
    done(std::move(report), std::move(shared->value));
  });
  return id;
}

openbao::CallId FakeTransit::ReadKey(const openbao::CallContext& context,
                                     openbao::Done<contract::TransitKeyMetadata> done) {
  return Start(ipc::OPERATION_TRANSIT_METADATA_READ, Describe(context), on_read_key,
               std::move(done));
}

openbao::CallId FakeTransit::ReadUpsert(const openbao::CallContext& context,
                                        openbao::Done<openbao::UpsertValue> done) {
  return Start(ipc::OPERATION_TRANSIT_DISABLE_UPSERT_READ, Describe(context), on_read_upsert,
               std::move(done));
}

openbao::CallId FakeTransit::Encrypt(const openbao::CallContext& context,
                                     std::int64_t key_version,
                                     std::span<const std::uint8_t> plaintext,
                                     std::string_view aad_base64,
                                     openbao::Done<openbao::EncryptValue> done) {
  Call call = Describe(context);
  call.version = key_version;
  call.argument.assign(plaintext.begin(), plaintext.end());
  call.aad = aad_base64;
  return Start(ipc::OPERATION_TRANSIT_ENCRYPT, std::move(call), on_encrypt, std::move(done));
}

openbao::CallId FakeTransit::Decrypt(const openbao::CallContext& context,
                                     std::string_view ciphertext,
                                     std::string_view aad_base64,
                                     openbao::Done<SecretBuffer> done) {
  Call call = Describe(context);
  call.argument = ciphertext;
  call.aad = aad_base64;
  return Start(ipc::OPERATION_TRANSIT_DECRYPT, std::move(call), on_decrypt, std::move(done));
}

openbao::CallId FakeTransit::RenewSelf(const openbao::CallContext& context,
                                       std::int64_t increment_seconds,
                                       openbao::Done<openbao::AuthValue> done) {
  Call call = Describe(context);
  call.argument = std::to_string(increment_seconds);
  return Start(ipc::OPERATION_TOKEN_RENEW_SELF, std::move(call), on_renew, std::move(done));
}

}  // namespace baokms::worker
