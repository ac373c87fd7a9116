// What kube-apiserver, or whoever may use its socket, sends: the first byte chooses the beginning
// of a connection ('h'), Encrypt ('e') or Decrypt. Properties: a verdict about a connection is
// final; every request is answered exactly once, within the contract's limits, and its records are
// single lines of JSON.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "common/base/clock.h"
#include "common/contract/limits.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/kms/handshake.h"
#include "supervisor/kms/service.h"
#include "supervisor/observe/record_text.h"
#include "tests/fuzz/require.h"
#include "tests/supervisor/kms/fakes.h"

namespace baokms::supervisor {
namespace {

void CheckHandshake(std::string_view received) {
  constexpr std::size_t kPrefaceAndHeader = 24 + 9;
  Handshake before = Handshake::kPending;
  for (std::size_t count = 0; count <= received.size() && count < 2048; ++count) {
    const Handshake now = ClassifyHandshake(received.substr(0, count));
    Require(before == Handshake::kPending || now == before, "a verdict is final");
    Require(now != Handshake::kPending || count < kPrefaceAndHeader + kMaxSettingsBytes,
            "waiting has an end");
    Require(now != Handshake::kDone || count >= kPrefaceAndHeader, "a handshake has a frame");
    before = now;
  }
}

// Ends the process if a request stays unanswered; the service's own limit is two seconds.
class Client final {
 public:
  void Encrypt(v2::EncryptRequest request) {
    call_ = world_.service.Encrypt(
        request, BootTime::max(),
        [this](const PublicError& error, const v2::EncryptResponse& response) {
          Note(error);
          Require(error.code != GrpcCode::kOk ||
                      (!response.key_id().empty() &&
                       response.ciphertext().size() <= contract::kMaxCiphertextBytes),
                  "a good answer is within the limits");
        });
  }

  void Decrypt(v2::DecryptRequest request) {
    call_ = world_.service.Decrypt(
        request, BootTime::max(),
        [this](const PublicError& error, std::span<const std::uint8_t>) { Note(error); });
  }

  void Await() {
    if (answers_ == 0) {
      world_.loop->After(std::chrono::seconds(5), [this] { world_.loop->Stop(); });
      Require(static_cast<bool>(world_.loop->Run()), "the loop runs");
    }
    Require(answers_ == 1, "every request is answered once");
    for (const LogRecord& record : world_.log.Records()) {
      const std::string line = RecordToJson(record, {"supervisor", 1}, RecordTime());
      Require(line.find('\n') == std::string::npos && nlohmann::json::accept(line),
              "a record is one line of JSON");
    }
  }

 private:
  void Note(const PublicError& error) {
    ++answers_;
    Require((error.code == GrpcCode::kOk) == error.text.empty(), "a refusal says why");
    world_.loop->Stop();
  }

  int answers_ = 0;
  FakeWorld world_;
  KmsCallPtr call_;
};

template <typename Request>
bool Parse(std::string_view text, Request& request) {
  return request.ParseFromArray(text.data(), static_cast<int>(text.size()));
}

}  // namespace
}  // namespace baokms::supervisor

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace baokms;  // NOLINT(google-build-using-namespace): one function
  if (size == 0 || size > contract::kMaxGrpcMessageBytes) {  // gRPC refuses a larger message
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'h') {
    supervisor::CheckHandshake(text);
    return 0;
  }
  supervisor::Client client;
  v2::EncryptRequest encrypt;
  v2::DecryptRequest decrypt;
  if (data[0] == 'e' && supervisor::Parse(text, encrypt)) {
    client.Encrypt(std::move(encrypt));
    client.Await();
  } else if (data[0] != 'e' && supervisor::Parse(text, decrypt)) {
    client.Decrypt(std::move(decrypt));
    client.Await();
  }
  return 0;
}
