// The KMS service behind a real gRPC server on a unix socket; only workers and status are fake.

#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "proto/kms_v2.grpc.pb.h"
#include "supervisor/kms/accept.h"
#include "supervisor/kms/server.h"
#include "tests/supervisor/kms/fakes.h"
#include "tests/supervisor/kms/test_socket.h"

namespace baokms::supervisor {

inline std::chrono::system_clock::time_point In(std::chrono::milliseconds time) {
  return std::chrono::system_clock::now() + time;
}

// Waits until `done` holds, for things that other threads do.
template <typename Done>
bool Eventually(Done done) {
  for (int i = 0; i < 5000; ++i) {
    if (done()) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

// A call that is still going on.
struct OpenCall {
  OpenCall(v2::KeyManagementService::Stub& stub,
           const v2::DecryptRequest& request,
           std::chrono::milliseconds within = std::chrono::seconds(10)) {
    context.set_wait_for_ready(true);
    context.set_deadline(In(within));
    reader = stub.AsyncDecrypt(&context, request, &queue);
    reader->Finish(&response, &status, this);
  }

  grpc::Status Await() {
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return status;
  }

  ~OpenCall() {
    queue.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue.Next(&tag, &ok)) {
    }
  }

  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  v2::DecryptResponse response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v2::DecryptResponse>> reader;
};

class ServerTest : public ::testing::Test {
 protected:
  explicit ServerTest(ConcurrencyLimits limits = {}) : world_(limits) {
    server_ = KmsServer::Start(*world_.loop, world_.service, [] {}).value();
    acceptor_ = Acceptor::Create(
                    *world_.loop, socket_.listener(), {}, world_.observers,
                    [this](UniqueFd connection) { return server_->Adopt(std::move(connection)); })
                    .value();
    loop_thread_ = std::thread([this] { EXPECT_TRUE(world_.loop->Run().has_value()); });
    stub_ = v2::KeyManagementService::NewStub(Connect("localhost"));
  }

  ~ServerTest() override {
    world_.loop->Stop();
    loop_thread_.join();
    acceptor_.reset();
    server_.reset();
  }

  std::shared_ptr<grpc::Channel> Connect(const std::string& authority) {
    grpc::ChannelArguments arguments;
    arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, authority);
    arguments.SetMaxReceiveMessageSize(1 << 20);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("unix:" + socket_.path(), grpc::InsecureChannelCredentials(),
                                     arguments);
  }

  struct Decrypted {
    grpc::Status status;
    std::string plaintext;
  };

  // A Decrypt that a worker has, and does not answer before AnswerOpen().
  std::unique_ptr<OpenCall> HeldDecrypt() {
    world_.workers.on_decrypt = [](const auto&, const auto&) {
      return std::nullopt;
    };
    auto call = std::make_unique<OpenCall>(*stub_, GoodDecryptRequest());
    EXPECT_TRUE(Eventually([&] { return world_.workers.decrypt_count() == 1; }));
    return call;
  }

  Decrypted Decrypt(const v2::DecryptRequest& request,
                    std::chrono::milliseconds within = std::chrono::seconds(3)) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(In(within));
    v2::DecryptResponse response;
    const grpc::Status status = stub_->Decrypt(&context, request, &response);
    return {status, response.plaintext()};
  }

  // Runs on the loop's thread and waits for it.
  void OnLoop(const std::function<void()>& task) {
    std::atomic<bool> done{false};
    world_.loop->Post([&] {
      task();
      done = true;
    });
    ASSERT_TRUE(Eventually([&] { return done.load(); }));
  }

  TestSocket socket_;
  FakeWorld world_;
  std::unique_ptr<KmsServer> server_;
  std::unique_ptr<Acceptor> acceptor_;
  std::thread loop_thread_;
  std::unique_ptr<v2::KeyManagementService::Stub> stub_;
};

}  // namespace baokms::supervisor
