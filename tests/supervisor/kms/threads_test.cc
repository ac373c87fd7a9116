// The supervisor's threads all at once, as a race detector has to see them: clients on several
// threads, the loop's thread with the real channels to workers that come and go, a reader of the
// metrics and the thread that writes the log. Only the transport to the clients is missing, and
// what the workers know of OpenBao.

#include <poll.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "supervisor/kms/service.h"
#include "supervisor/observe/log_stream.h"
#include "supervisor/observe/prometheus_metrics.h"
#include "supervisor/workers/worker_set.h"
#include "tests/supervisor/kms/fakes.h"
#include "tests/supervisor/workers/fake_worker.h"

namespace baokms::supervisor {
namespace {

using ipc::MessageType;
using std::chrono::seconds;
using ::testing::Gt;

constexpr Slot kWorkers = 3;
constexpr int kClients = 4;
constexpr int kRequestsEach = 150;
constexpr int kAnswersInALife = 60;

// A worker on a thread of its own. After some answers it exits, and another one takes its slot.
class AnsweringWorker final {
 public:
  AnsweringWorker(EventLoop& loop, WorkerSet& set, Slot slot)
      : loop_(loop), set_(set), slot_(slot), thread_([this] { Work(); }) {}

  AnsweringWorker(const AnsweringWorker&) = delete;
  AnsweringWorker& operator=(const AnsweringWorker&) = delete;

  ~AnsweringWorker() {
    stopping_ = true;
    thread_.join();
  }

 private:
  void Work() {
    while (!stopping_) {
      ipc::ChannelPair pair = ipc::MakeChannelPair().value();
      const auto supervisors = std::make_shared<UniqueFd>(std::move(pair.first));
      loop_.Post([this, supervisors] {
        EXPECT_TRUE(set_.Attach(slot_, std::move(*supervisors)).has_value());
      });
      Live(std::move(pair.second));
      OnLoop([this] { set_.Detached(slot_, WorkerEnd::kKilled); });
    }
  }

  void OnLoop(const std::function<void()>& task) {
    std::atomic<bool> done{false};
    loop_.Post([&task, &done] {
      task();
      done = true;
    });
    while (!done) {
      std::this_thread::yield();
    }
  }

  void Live(UniqueFd channel) {
    ipc::Hello hello;
    hello.set_protocol_version(ipc::kProtocolVersion);
    hello.set_role(ipc::ROLE_WORKER);
    Send(channel, MessageType::kHello, hello);
    std::vector<std::uint8_t> buffer(ipc::kMaxDatagram);
    for (int answers = 0; answers < kAnswersInALife && !stopping_;) {
      pollfd waiting{channel.get(), POLLIN, 0};
      (void)::poll(&waiting, 1, 10);
      const auto datagram = ipc::ReceiveDatagram(channel.get(), buffer);
      ASSERT_TRUE(datagram.has_value());
      answers += *datagram && Answer(channel, **datagram) ? 1 : 0;
    }
  }

  static bool Answer(const UniqueFd& channel, const ipc::Datagram& datagram) {
    const auto body = std::string(datagram.body.begin(), datagram.body.end());
    if (datagram.type == MessageType::kKeyTable) {
      ipc::KeyTable table;
      table.ParseFromString(body);
      ipc::KeyTableAnswer answer;
      answer.set_generation(table.generation());
      answer.set_outcome(ipc::OUTCOME_OK);
      answer.set_active_verified(true);
      Send(channel, MessageType::kKeyTableAnswer, answer);
    } else if (datagram.type == MessageType::kPing) {
      Send(channel, MessageType::kPong, ipc::Pong());
    } else if (datagram.type == MessageType::kEncryptRequest) {
      Reply<ipc::EncryptRequest>(channel, body, MessageType::kEncryptAnswer, GoodEncryptAnswer());
      return true;
    } else if (datagram.type == MessageType::kDecryptRequest) {
      Reply<ipc::DecryptRequest>(channel, body, MessageType::kDecryptAnswer, DecryptedTo("secret"));
      return true;
    }
    return false;
  }

  template <typename Request, typename Answer>
  static void Reply(const UniqueFd& channel,
                    const std::string& body,
                    MessageType type,
                    Answer answer) {
    Request request;
    request.ParseFromString(body);
    answer.set_id(request.id());
    Send(channel, type, answer);
  }

  static void Send(const UniqueFd& channel,
                   MessageType type,
                   const google::protobuf::MessageLite& message) {
    (void)ipc::SendDatagram(channel.get(), *ipc::EncodedMessage::Encode(type, message), -1)
        .has_value();
  }

  EventLoop& loop_;
  WorkerSet& set_;
  Slot slot_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// Requests of one client, and what became of them.
struct Tally {
  std::atomic<int> answered{0};
  std::atomic<int> good{0};
};

class ThreadsTest : public ::testing::Test {
 protected:
  ThreadsTest() {
    EXPECT_TRUE(log_.StartThread().has_value());
    metrics_->SetScrape([this] {
      ScrapeFacts facts;
      facts.log_records_dropped = log_.Dropped();
      return facts;
    });
    loop_thread_ = std::thread([this] { EXPECT_TRUE(loop_->Run().has_value()); });
  }

  ~ThreadsTest() override {
    loop_->Stop();
    loop_thread_.join();
  }

  // Requests of one client thread; every seventh is given up by the client at once.
  void RunClient(Tally& tally) {
    for (int i = 0; i < kRequestsEach; ++i) {
      const auto note = [&tally](const PublicError& error, const auto& /*response*/) {
        ++tally.answered;
        tally.good += error.code == GrpcCode::kOk ? 1 : 0;
      };
      KmsCallPtr call;
      if (i % 3 == 0) {
        v2::EncryptRequest request;
        request.set_plaintext("secret");
        call = service_.Encrypt(request, BootNow() + seconds(20), note);
      } else {
        v2::DecryptRequest request = GoodDecryptRequest();
        request.set_uid(std::to_string(i));
        call = service_.Decrypt(request, BootNow() + seconds(20), note);
      }
      if (i % 7 == 0 && call != nullptr) {
        call->Cancel();
      }
      EXPECT_EQ(service_.Status().error.code, GrpcCode::kOk);
      while (tally.answered <= i - 8) {  // a client has few requests at a time
        std::this_thread::yield();
      }
    }
  }

  // What the loop's thread and the operator do meanwhile.
  void Disturb(const std::atomic<bool>& over) {
    for (std::uint64_t generation = 2; !over; ++generation) {
      ipc::KeyTable table;
      table.set_generation(generation);
      workers_.PublishKeyTable(table, [] {});
      service_.SetLimits({.status = 64, .encrypt = 64, .decrypt = 64});
      log_.SetLevel(generation % 2 == 0 ? LogLevel::kDebug : LogLevel::kInfo);
      status_.Set(FakeStatus::Healthy());
      (void)workers_.Workers();
      EXPECT_FALSE(metrics_->ToText().empty());
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  struct CloseFile {
    void operator()(std::FILE* file) const { (void)std::fclose(file); }
  };

  std::unique_ptr<std::FILE, CloseFile> nowhere_{std::fopen("/dev/null", "we")};
  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  std::unique_ptr<PrometheusMetrics> metrics_ =
      PrometheusMetrics::Create({"0.1.0", "abc", "2026-01-01T00:00:00Z", "false"}, "jwt", "none");
  LogStream log_{LogFormat::kJson, LogLevel::kDebug, Journal(), ::fileno(nowhere_.get())};
  RecordingWorkerEvents events_;
  WorkerSet workers_{*loop_, events_, kWorkers};
  FakeStatus status_{*loop_};
  Observers observers_{*metrics_, log_};
  KmsService service_{*loop_,
                      workers_,
                      status_,
                      observers_,
                      {GoldenIdentity(),
                       kPluginVersion,
                       seconds(20),
                       {.status = 64, .encrypt = 64, .decrypt = 64}}};
  std::thread loop_thread_;
};

TEST_F(ThreadsTest, AnswersEveryRequestOnceWhileWorkersComeAndGo) {
  std::array<Tally, kClients> tallies;
  {
    std::vector<std::unique_ptr<AnsweringWorker>> workers;
    for (Slot slot = 0; slot < kWorkers; ++slot) {
      workers.push_back(std::make_unique<AnsweringWorker>(*loop_, workers_, slot));
    }
    std::atomic<bool> over{false};
    std::thread disturber([this, &over] { Disturb(over); });
    std::vector<std::thread> clients;
    for (Tally& tally : tallies) {
      clients.emplace_back([this, &tally] { RunClient(tally); });
    }
    for (std::thread& client : clients) {
      client.join();
    }
    for (const Tally& tally : tallies) {
      while (tally.answered < kRequestsEach) {
        std::this_thread::yield();
      }
    }
    over = true;
    disturber.join();
  }
  for (const Tally& tally : tallies) {
    EXPECT_EQ(tally.answered, kRequestsEach);
    EXPECT_THAT(tally.good.load(), Gt(0));
  }
}

}  // namespace
}  // namespace baokms::supervisor
