#include "tests/worker/worker_fixture.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "common/base/event_loop.h"
#include "common/contract/annotations.h"
#include "common/contract/encoding.h"
#include "common/contract/key_binding.h"
#include "ipc/key_versions.h"
#include "ipc/token_message.h"
#include "proto/ipc.pb.h"

namespace baokms::worker {

using namespace std::chrono_literals;

contract::KeyIdentity GoldenIdentity() {
  return {"openbao-kms-workload-a", "workload-a", "bao-prod-a", "", "transit-prod-primary",
          "01HXEXAMPLEKEYLINEAGEID"};
}

contract::KeyBinding Bind(std::int64_t version) {
  return contract::BindKey(GoldenIdentity(), {version, kCreated + version}).value();
}

ipc::KeyTable MakeTable(std::uint64_t generation, std::uint32_t newest, std::uint32_t active) {
  ipc::KeyTable table;
  table.set_generation(generation);
  for (std::uint32_t version = 1; version <= newest; ++version) {
    (void)ipc::AppendVersion(version, kCreated + version, *table.mutable_versions());
  }
  if (active != 0) {
    table.set_active_key_id(std::string(Bind(active).key_id.text()));
  }
  return table;
}

contract::TransitKeyMetadata MakeMetadata(std::int64_t latest) {
  contract::TransitKeyMetadata metadata;
  metadata.type = "aes256-gcm96";
  metadata.latest_version = latest;
  metadata.min_decryption_version = 1;
  for (std::int64_t version = 1; version <= latest; ++version) {
    metadata.versions.push_back({version, kCreated + version});
  }
  metadata.derived = metadata.convergent_encryption = metadata.exportable = false;
  metadata.allow_plaintext_backup = metadata.deletion_allowed = metadata.soft_deleted = false;
  metadata.supports_encryption = metadata.supports_decryption = true;
  return metadata;
}

std::string MakeCiphertext(std::int64_t version) {
  const std::vector<std::uint8_t> bytes(60, 7);
  return "vault:v" + std::to_string(version) + ":" + contract::EncodeBase64(bytes);
}

ipc::DecryptRequest MakeDecrypt(std::uint64_t id, std::int64_t version) {
  ipc::DecryptRequest request;
  request.set_id(id);
  request.set_deadline_ns((BootNow() + 5s).count());
  request.set_ciphertext(MakeCiphertext(version));
  const contract::KeyBinding binding = Bind(version);
  request.set_key_id(std::string(binding.key_id.text()));
  const std::vector<contract::Annotation> annotations =
      contract::BuildAnnotations(binding, "v0.1.0-test").value();
  for (const contract::Annotation& annotation : annotations) {
    ipc::IpcAnnotation* entry = request.add_annotations();
    entry->set_key(std::string(annotation.key));
    entry->set_value(annotation.value);
  }
  return request;
}

WorkerFixture::WorkerFixture() : loop(EventLoop::Create().value()), transit(*loop) {
  timing.refresh_before = 5min;
  timing.login_timeout = 2s;
  timing.longest_wait = 30s;
  timing.check_interval = 1h;
  tokens = std::make_unique<TokenSource>(
      TokenSurroundings{*loop, transit, log,
                        [this](const ipc::LoginRequest& request) { logins.push_back(request); },
                        [this](const ipc::TokenStatus& status) {
                          statuses.push_back(status);
                        }},
      timing, 3600);
  kms = std::make_unique<KmsOperations>(
      TransitCall::Sources{*tokens, transit}, GoldenIdentity(), "v0.1.0-test",
      [this](ipc::MessageType type, const google::protobuf::MessageLite& message) {
        answers.emplace_back(type, message.SerializeAsString());
      });
}

void WorkerFixture::RunUntil(const std::function<bool()>& done) {
  const BootTime limit = BootNow() + 5s;
  while (!done()) {
    ASSERT_LT(BootNow(), limit) << "nothing happened";
    RunBriefly();
  }
}

void WorkerFixture::RunBriefly() {
  loop->After(3ms, [this] { loop->Stop(); });
  ASSERT_TRUE(loop->Run().has_value());
}

void WorkerFixture::GiveToken(std::size_t index, std::string token, std::uint32_t lease_s) {
  RunUntil([&] { return logins.size() > index; });
  ipc::TokenMessage message;
  std::ranges::copy(logins[index].request_id(), message.request_id.begin());
  message.lease_seconds = lease_s;
  message.renewable = true;
  message.token = Secret(std::move(token));
  SecretBuffer body = ipc::EncodeToken(message).value();
  ASSERT_TRUE(tokens->OnToken(body.RevealMutable()).has_value());
}

}  // namespace baokms::worker
