// A token source and the KMS operations on a real loop, with OpenBao, agent and supervisor played
// by the test.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/message_lite.h>
#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/contract/identity.h"
#include "common/contract/key_binding.h"
#include "common/contract/key_profile.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "tests/worker/fake_transit.h"
#include "worker/kms_operations.h"
#include "worker/token_source.h"

namespace baokms::worker {

inline constexpr std::int64_t kCreated = 1'715'803'200;

// The identity of the contract's first golden vector.
contract::KeyIdentity GoldenIdentity();

// The binding of `version`, created at kCreated + version.
contract::KeyBinding Bind(std::int64_t version);

// A table with versions 1 to `newest`; `active` 0: encryption is blocked.
ipc::KeyTable MakeTable(std::uint64_t generation, std::uint32_t newest, std::uint32_t active);

// Sound metadata of a key with these versions.
contract::TransitKeyMetadata MakeMetadata(std::int64_t latest);

// "vault:v<version>:" and base64 of 60 bytes.
std::string MakeCiphertext(std::int64_t version);

// A request that Decrypt accepts.
ipc::DecryptRequest MakeDecrypt(std::uint64_t id, std::int64_t version);

class RecordingLog final : public LogSink {
 public:
  void Write(const LogRecord& record) override { records.push_back(record); }

  [[nodiscard]] bool Enabled(LogLevel) const override { return true; }

  std::vector<LogRecord> records;
};

class WorkerFixture : public testing::Test {
 protected:
  WorkerFixture();

  // Turns the loop until `done`; fails the test after five seconds.
  void RunUntil(const std::function<bool()>& done);

  // Turns the loop for a few rounds.
  void RunBriefly();

  // The agent's answer to the login request `index`.
  void GiveToken(std::size_t index, std::string token, std::uint32_t lease_s = 1800);

  // The only answer so far, which must be of this type.
  template <typename Answer>
  Answer TakeAnswer() {
    RunUntil([this] { return !answers.empty(); });
    Answer answer;
    if (answers.size() != 1 || !answer.ParseFromString(answers.front().second)) {
      ADD_FAILURE() << answers.size() << " answers";
    }
    answers.clear();
    return answer;
  }

  static std::int64_t Soon(BootTime time = std::chrono::seconds(5)) {
    return (BootNow() + time).count();
  }

  std::unique_ptr<EventLoop> loop;
  FakeTransit transit;
  RecordingLog log;
  std::vector<ipc::LoginRequest> logins;
  std::vector<ipc::TokenStatus> statuses;
  TokenTiming timing;
  std::unique_ptr<TokenSource> tokens;
  std::vector<std::pair<ipc::MessageType, std::string>> answers;
  std::unique_ptr<KmsOperations> kms;
};

}  // namespace baokms::worker
