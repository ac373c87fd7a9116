// Two workers and an auth agent that were taken over, against the supervisor's ends of their
// channels: what they send is a script (frames.h); `where` is 0 or 1 for a worker and 2 for the
// agent, with 128 added for a descriptor. If the first byte is odd, the children first behave until
// requests reach the workers. Properties: each incarnation violates the protocol at most once, no
// request is answered twice, and every descriptor is closed.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/agent_channel.h"
#include "supervisor/workers/worker_set.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/quiet_protobuf.h"
#include "tests/fuzz/require.h"
#include "tests/supervisor/workers/fake_worker.h"

namespace baokms::supervisor {
namespace {

using ipc::MessageType;

constexpr std::uint8_t kWithDescriptor = 128;
constexpr int kTurns = 4;  // receive, answer, and receive again what was asked meanwhile
constexpr std::uint64_t kTable = 1;

class CountingAgentEvents final : public AgentEvents {
 public:
  void OnAgentViolation(const Error& /*why*/) override { ++violations; }

  void OnAgentReady() override { ++ready; }

  void OnAgentSilent() override {}

  void OnAgentStatus(const ipc::AgentStatus& /*status*/) override {}

  void OnAgentPinAttempt(std::uint16_t /*tag*/) override {}

  Status OnAgentPinResult(ipc::PinAttemptEnd::Result /*result*/) override { return {}; }

  int violations = 0;
  int ready = 0;
};

class Family final {
 public:
  Family() {
    for (Slot slot = 0; slot < 2; ++slot) {
      ends_[slot] = NewChannel([this, slot](UniqueFd end) {
        Require(static_cast<bool>(workers_.Attach(slot, std::move(end))), "a slot is free");
      });
    }
    ends_[2] = NewChannel([this](UniqueFd end) {
      Require(static_cast<bool>(agent_->Open(std::move(end))), "a channel opens");
    });
    ipc::KeyTable table;
    table.set_generation(kTable);
    workers_.PublishKeyTable(table, [] {});
  }

  // As an honest worker does, up to the moment at which it holds requests.
  void BehaveFirst() {
    ipc::Hello hello;
    hello.set_protocol_version(ipc::kProtocolVersion);
    ipc::KeyTableAnswer answer;
    answer.set_generation(kTable);
    answer.set_outcome(ipc::OUTCOME_OK);
    for (std::size_t child = 0; child < ends_.size(); ++child) {
      hello.set_role(child == 2 ? ipc::ROLE_AUTH_AGENT : ipc::ROLE_WORKER);
      Send(child, MessageType::kHello, hello);
    }
    Run();
    Send(0, MessageType::kKeyTableAnswer, answer);
    Send(1, MessageType::kKeyTableAnswer, answer);
    Run();
    Ask<ipc::EncryptRequest>();
    Ask<ipc::DecryptRequest>();
    Ask<ipc::MetadataRequest>();
    Ask<ipc::ProbeEncryptRequest>();
    Ask<ipc::ProbeDecryptRequest>();
    Run();
  }

  void Play(std::string_view script) {
    while (const auto frame = TakeFrame(script)) {
      const std::size_t child = frame->where % ends_.size();
      const bool attach = (frame->where & kWithDescriptor) != 0;
      SendFrame(ends_[child].get(), *frame, attach ? ends_[child].get() : -1);
    }
    Run();
  }

  void Check() const {
    Require(worker_events_.violations.size() <= 2, "a worker is punished once");
    Require(worker_events_.ready.size() <= 2, "a worker becomes ready once");
    Require(agent_events_.violations <= 1 && agent_events_.ready <= 1, "and so is the agent");
    Require(answers_ <= requests_, "no request is answered twice");
  }

 private:
  template <typename Attach>
  static UniqueFd NewChannel(const Attach& attach) {
    auto pair = ipc::MakeChannelPair();
    Require(pair.has_value(), "there are descriptors left");
    attach(std::move(pair->first));
    return std::move(pair->second);
  }

  void Send(std::size_t child, MessageType type, const google::protobuf::MessageLite& message) {
    const auto encoded = ipc::EncodedMessage::Encode(type, message);
    (void)ipc::SendDatagram(ends_[child].get(), *encoded, -1).has_value();
  }

  template <typename Request>
  void Ask() {
    Request request;
    request.set_deadline_ns((BootNow() + std::chrono::minutes(1)).count());
    ++requests_;
    workers_.Submit(std::move(request), {}, [this](const auto&) { ++answers_; });
  }

  void Run() {
    AfterTurns(*loop_, kTurns, [this] { loop_->Stop(); });
    Require(static_cast<bool>(loop_->Run()), "the loop runs");
  }

  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  RecordingWorkerEvents worker_events_;
  RecordingEvents<> agent_reports_;
  CountingAgentEvents agent_events_;
  WorkerSet workers_{*loop_, worker_events_, 2};
  std::shared_ptr<AgentChannel> agent_ =
      std::make_shared<AgentChannel>(*loop_, 1, agent_reports_, agent_events_);
  std::array<UniqueFd, 3> ends_;
  int requests_ = 0;
  int answers_ = 0;
};

}  // namespace
}  // namespace baokms::supervisor

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace baokms;  // NOLINT(google-build-using-namespace): one function
  if (size == 0) {
    return 0;
  }
  const int descriptors = supervisor::CountDescriptors();
  {
    supervisor::Family family;
    if (data[0] % 2 == 1) {
      family.BehaveFirst();
    }
    family.Play({reinterpret_cast<const char*>(data) + 1, size - 1});
    family.Check();
  }
  Require(supervisor::CountDescriptors() == descriptors, "every descriptor is closed");
  return 0;
}
