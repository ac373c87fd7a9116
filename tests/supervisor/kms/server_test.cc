// The whole service through a real gRPC client on a unix socket; only workers and status are fake.

#include "supervisor/kms/server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "proto/kms_v2.grpc.pb.h"
#include "supervisor/kms/accept.h"
#include "tests/supervisor/kms/fakes.h"
#include "tests/supervisor/kms/test_socket.h"

namespace baokms::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::chrono::system_clock::time_point In(std::chrono::milliseconds time) {
  return std::chrono::system_clock::now() + time;
}

// Waits until `done` holds, for things that other threads do.
template <typename Done>
bool Eventually(Done done) {
  for (int i = 0; i < 5000; ++i) {
    if (done()) {
      return true;
    }
    std::this_thread::sleep_for(milliseconds(1));
  }
  return false;
}

// A call that is still going on.
struct OpenCall {
  OpenCall(v2::KeyManagementService::Stub& stub,
           const v2::DecryptRequest& request,
           milliseconds within = seconds(10)) {
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

  Decrypted Decrypt(const v2::DecryptRequest& request, milliseconds within = seconds(3)) {
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

TEST_F(ServerTest, ServesAllMethodsForBothFormsOfAuthority) {
  for (const std::string& authority :
       {std::string("localhost"), socket_.path(), std::string("%2Frun%2Fopenbao-kms%2Fkms.sock")}) {
    SCOPED_TRACE(authority);
    stub_ = v2::KeyManagementService::NewStub(Connect(authority));
    grpc::ClientContext status_context;
    status_context.set_wait_for_ready(true);
    v2::StatusResponse status;
    ASSERT_TRUE(stub_->Status(&status_context, {}, &status).ok());
    EXPECT_EQ(status.version(), "v2");
    EXPECT_EQ(status.healthz(), "ok");
    EXPECT_EQ(status.key_id(), GoldenKeyId());

    grpc::ClientContext encrypt_context;
    v2::EncryptRequest request;
    request.set_plaintext("secret");
    v2::EncryptResponse encrypted;
    ASSERT_TRUE(stub_->Encrypt(&encrypt_context, request, &encrypted).ok());
    EXPECT_EQ(encrypted.key_id(), status.key_id());

    v2::DecryptRequest back;
    back.set_ciphertext(encrypted.ciphertext());
    back.set_key_id(encrypted.key_id());
    *back.mutable_annotations() = encrypted.annotations();
    EXPECT_EQ(Decrypt(back).plaintext, "secret");
  }
}

// gRPC says whose call it was only in the text of ServerContext::peer().
TEST_F(ServerTest, TheConnectionOfACompletedCallSurvivesACrowd) {
  const auto idle = Connect("localhost");
  ASSERT_TRUE(idle->WaitForConnected(In(seconds(5))));
  const auto used = Connect("localhost");
  stub_ = v2::KeyManagementService::NewStub(used);
  for (int i = 0; i < 2; ++i) {  // the first one has been counted once the second one is answered
    ASSERT_TRUE(Decrypt(GoodDecryptRequest()).status.ok());
  }
  std::vector<UniqueFd> crowd(3 * kMaxConnectionsPerUid);
  std::ranges::generate(crowd, [this] { return socket_.Greet(); });
  EXPECT_TRUE(idle->WaitForStateChange(GRPC_CHANNEL_READY, In(seconds(5))));
  EXPECT_FALSE(used->WaitForStateChange(GRPC_CHANNEL_READY, In(milliseconds(100))));
  EXPECT_TRUE(Decrypt(GoodDecryptRequest()).status.ok());
}

TEST_F(ServerTest, EveryOutcomeHasItsCodeAndText) {
  struct Row {
    ipc::Outcome outcome;
    grpc::StatusCode code;
    const char* text;
  };

  const Row rows[] = {
      {ipc::OUTCOME_INVALID_REQUEST, grpc::INVALID_ARGUMENT, "transit decrypt failed"},
      {ipc::OUTCOME_UNAUTHENTICATED, grpc::UNAUTHENTICATED,
       "transit authentication failed (temporary)"},
      {ipc::OUTCOME_AUTH_FAILED, grpc::UNAUTHENTICATED,
       "transit authentication failed (temporary)"},
      {ipc::OUTCOME_PERMISSION_DENIED, grpc::PERMISSION_DENIED,
       "transit permission denied (temporary)"},
      {ipc::OUTCOME_NOT_FOUND, grpc::NOT_FOUND, "transit key not found"},
      {ipc::OUTCOME_DECRYPT_FAILED, grpc::INVALID_ARGUMENT, "transit decrypt failed"},
      {ipc::OUTCOME_PRECONDITION_FAILED, grpc::UNAVAILABLE,
       "transit precondition failed (temporary)"},
      {ipc::OUTCOME_RATE_LIMITED, grpc::RESOURCE_EXHAUSTED, "transit rate limited (temporary)"},
      {ipc::OUTCOME_SEALED, grpc::UNAVAILABLE, "transit unavailable (temporary)"},
      {ipc::OUTCOME_UNAVAILABLE, grpc::UNAVAILABLE, "transit unavailable (temporary)"},
      {ipc::OUTCOME_TLS_FAILED, grpc::UNAVAILABLE, "transit unavailable (temporary)"},
      {ipc::OUTCOME_DNS_FAILED, grpc::UNAVAILABLE, "transit unavailable (temporary)"},
      {ipc::OUTCOME_CONNECTION_FAILED, grpc::UNAVAILABLE, "transit unavailable (temporary)"},
      {ipc::OUTCOME_LOGIN_TIMEOUT, grpc::UNAVAILABLE, "transit unavailable (temporary)"},
      {ipc::OUTCOME_UNKNOWN_STATUS, grpc::UNAVAILABLE, "transit unavailable (temporary)"},
      {ipc::OUTCOME_UNDECODABLE, grpc::UNAVAILABLE, "transit operation failed (temporary)"},
      {ipc::OUTCOME_TIMEOUT, grpc::DEADLINE_EXCEEDED, "request timed out (temporary)"},
      {ipc::OUTCOME_KEY_ID_MALFORMED, grpc::INVALID_ARGUMENT, "key_id malformed"},
      {ipc::OUTCOME_KEY_ID_UNKNOWN, grpc::UNAVAILABLE, "key metadata refresh failed (temporary)"},
      {ipc::OUTCOME_ANNOTATIONS_INVALID, grpc::INVALID_ARGUMENT, "annotations invalid"},
      {ipc::OUTCOME_ANNOTATIONS_MISMATCH, grpc::INVALID_ARGUMENT,
       "annotations do not match key snapshot"},
      {ipc::OUTCOME_REQUEST_LIMIT, grpc::INVALID_ARGUMENT, "kms request exceeds protocol limits"},
      {ipc::OUTCOME_RESPONSE_LIMIT, grpc::INTERNAL, "kms response exceeds protocol limits"},
      {ipc::OUTCOME_BAD_ANSWER, grpc::INTERNAL, "kms request failed"},
      {ipc::OUTCOME_OVERLOADED, grpc::RESOURCE_EXHAUSTED,
       "kms request concurrency limit reached (temporary)"},
      {ipc::OUTCOME_INTERNAL, grpc::INTERNAL, "kms request failed"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(ipc::Outcome_Name(row.outcome));
    world_.workers.on_decrypt = [&](const auto&, const auto&) {
      return FailedWith<ipc::DecryptAnswer>(row.outcome);
    };
    const Decrypted result = Decrypt(GoodDecryptRequest());
    EXPECT_EQ(result.status.error_code(), row.code);
    EXPECT_EQ(result.status.error_message(), row.text);
    EXPECT_EQ(result.status.error_details(), "");
    EXPECT_EQ(result.plaintext, "");
  }
}

TEST_F(ServerTest, OversizedMessagesAreRefusedByTheTransport) {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  v2::EncryptRequest request;
  request.set_plaintext(std::string(65536, 'x'));  // the message is a little larger
  v2::EncryptResponse response;
  EXPECT_EQ(stub_->Encrypt(&context, request, &response).error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(world_.metrics.started, 0);

  v2::EncryptRequest fits;
  fits.set_plaintext(std::string(65532, 'x'));  // 65536 bytes with its tag and length
  ASSERT_EQ(fits.ByteSizeLong(), 65536U);
  grpc::ClientContext second;
  EXPECT_EQ(stub_->Encrypt(&second, fits, &response).error_message(),
            "kms request exceeds protocol limits");
  EXPECT_EQ(world_.metrics.started, 1);
}

TEST_F(ServerTest, AnnotationsThatAreNotUtf8GetTheDocumentedError) {
  v2::DecryptRequest request = GoodDecryptRequest();
  request.mutable_annotations(2)->set_value("\xff\xfe");
  const Decrypted result = Decrypt(request);
  EXPECT_EQ(result.status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(result.status.error_message(), "annotations invalid");
}

TEST_F(ServerTest, BytesThatAreNoMessageAreAnError) {
  grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> generic(Connect("localhost"));
  for (const char* method : {"Encrypt", "Decrypt"}) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    grpc::CompletionQueue queue;
    const grpc::Slice slice(std::string("\xff\xff\xff\xff"));
    const grpc::ByteBuffer garbage(&slice, 1);
    auto call = generic.PrepareUnaryCall(
        &context, std::string("/v2.KeyManagementService/") + method, garbage, &queue);
    call->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    call->Finish(&answer, &status, &context);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_EQ(status.error_code(), grpc::INTERNAL);
    EXPECT_EQ(status.error_message(), "kms request failed");
  }
  EXPECT_TRUE(Decrypt(GoodDecryptRequest()).status.ok());
}

TEST_F(ServerTest, CompressedMessagesAreNotUnpacked) {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(In(seconds(3)));
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  v2::EncryptRequest request;
  request.set_plaintext(std::string(100, 'x'));  // a good request if it were not compressed
  v2::EncryptResponse response;
  EXPECT_FALSE(stub_->Encrypt(&context, request, &response).ok());
  EXPECT_THAT(world_.workers.encrypts, IsEmpty());
  EXPECT_TRUE(Decrypt(GoodDecryptRequest()).status.ok());
}

TEST_F(ServerTest, UnknownMethodsAreUnimplemented) {
  grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> generic(Connect("localhost"));
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  grpc::CompletionQueue queue;
  auto call = generic.PrepareUnaryCall(&context, "/v1beta1.KeyManagementService/Version",
                                       grpc::ByteBuffer(), &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, &context);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(status.error_code(), grpc::UNIMPLEMENTED);
}

TEST_F(ServerTest, CallersDeadlineReachesTheWorker) {
  const BootTime before = BootNow();
  EXPECT_TRUE(Decrypt(GoodDecryptRequest(), milliseconds(700)).status.ok());
  const BootTime short_one(world_.workers.decrypts.at(0).first.deadline_ns());
  EXPECT_LE(short_one, before + milliseconds(800));
  EXPECT_GE(short_one, before + milliseconds(500));
  EXPECT_TRUE(Decrypt(GoodDecryptRequest(), seconds(60)).status.ok());
  const BootTime long_one(world_.workers.decrypts.at(1).first.deadline_ns());
  EXPECT_LE(long_one, BootNow() + seconds(2));  // openbao.timeout
}

TEST_F(ServerTest, ClientThatGivesUpStopsTheWork) {
  world_.workers.on_decrypt = [](const auto&, const auto&) {
    return std::nullopt;
  };
  const Decrypted result = Decrypt(GoodDecryptRequest(), milliseconds(100));
  EXPECT_EQ(result.status.error_code(), grpc::DEADLINE_EXCEEDED);
  EXPECT_TRUE(Eventually([&] { return world_.metrics.Finished().size() == 1; }));
  EXPECT_EQ(std::get<1>(world_.metrics.Finished()[0]), "canceled");

  OpenCall call(*stub_, GoodDecryptRequest());
  ASSERT_TRUE(Eventually([&] { return world_.workers.decrypt_count() == 2; }));
  call.context.TryCancel();
  EXPECT_EQ(call.Await().error_code(), grpc::CANCELLED);
  EXPECT_TRUE(Eventually([&] { return world_.metrics.Finished().size() == 2; }));
}

TEST_F(ServerTest, LostConnectionStopsItsWork) {
  world_.workers.on_decrypt = [](const auto&, const auto&) {
    return std::nullopt;
  };
  auto channel = Connect("localhost");
  auto stub = v2::KeyManagementService::NewStub(channel);
  {
    OpenCall call(*stub, GoodDecryptRequest());
    ASSERT_TRUE(Eventually([&] { return world_.workers.decrypt_count() == 1; }));
    OnLoop([&] { EXPECT_EQ(acceptor_->connections(), 1U); });
    call.context.TryCancel();
    call.Await();
  }
  stub.reset();
  channel.reset();
  EXPECT_TRUE(Eventually([&] { return world_.metrics.peers == 0; }));
  EXPECT_TRUE(Eventually([&] { return world_.metrics.Finished().size() == 1; }));
}

TEST_F(ServerTest, ManyEqualDecryptsOnOneConnectionAreOneCall) {
  world_.workers.on_decrypt = [](const auto&, const auto&) {
    return std::nullopt;
  };
  std::vector<std::unique_ptr<OpenCall>> calls;
  for (int i = 0; i < 300; ++i) {
    calls.push_back(std::make_unique<OpenCall>(*stub_, GoodDecryptRequest()));
  }
  ASSERT_TRUE(Eventually([&] { return world_.metrics.coalesced == 299; }));
  EXPECT_EQ(world_.workers.decrypt_count(), 1U);
  world_.workers.AnswerOpen(DecryptedTo("p"));
  for (auto& call : calls) {
    EXPECT_TRUE(call->Await().ok());
    EXPECT_EQ(call->response.plaintext(), "p");
  }
}

TEST_F(ServerTest, StatusNeverMeetsALimitOrAnotherMethodsLoad) {
  world_.workers.on_decrypt = [](const auto&, const auto&) {
    return std::nullopt;
  };
  std::vector<std::unique_ptr<OpenCall>> storm;
  for (int i = 0; i < 200; ++i) {
    v2::DecryptRequest request = GoodDecryptRequest();
    request.mutable_annotations(0)->set_value(std::to_string(i));
    storm.push_back(std::make_unique<OpenCall>(*stub_, request));
  }
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) {
        grpc::ClientContext context;
        v2::StatusResponse response;
        good += stub_->Status(&context, {}, &response).ok() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(good, 400);
  world_.workers.AnswerOpen(DecryptedTo("p"));
  int refused = 0;
  for (auto& call : storm) {
    refused += call->Await().error_code() == grpc::RESOURCE_EXHAUSTED ? 1 : 0;
  }
  EXPECT_EQ(refused, 200 - 64);
}

class SmallServerTest : public ServerTest {
 protected:
  SmallServerTest() : ServerTest({.status = 1, .encrypt = 1, .decrypt = 3}) {}
};

TEST_F(SmallServerTest, DecryptLimitIsExact) {
  world_.workers.on_decrypt = [](const auto&, const auto&) {
    return std::nullopt;
  };
  std::vector<std::unique_ptr<OpenCall>> calls;
  for (int i = 0; i < 3; ++i) {
    v2::DecryptRequest request = GoodDecryptRequest();
    request.mutable_annotations(0)->set_value(std::to_string(i));
    calls.push_back(std::make_unique<OpenCall>(*stub_, request));
  }
  ASSERT_TRUE(Eventually([&] { return world_.workers.decrypt_count() == 3; }));
  const Decrypted result = Decrypt(GoodDecryptRequest());
  EXPECT_EQ(result.status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(result.status.error_message(), "kms request concurrency limit reached (temporary)");
  world_.workers.AnswerOpen(DecryptedTo("p"));
  for (auto& call : calls) {
    EXPECT_TRUE(call->Await().ok());
  }
}

TEST_F(ServerTest, ShutdownLetsCallsInProgressEnd) {
  const std::unique_ptr<OpenCall> call = HeldDecrypt();
  std::atomic<bool> done{false};
  OnLoop([&] {
    acceptor_->Stop();
    server_->Shutdown(BootNow() + seconds(15), [&] { done = true; });
  });
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_FALSE(done);
  world_.workers.AnswerOpen(DecryptedTo("p"));
  EXPECT_TRUE(call->Await().ok());
  EXPECT_TRUE(Eventually([&] { return done.load(); }));
}

TEST_F(ServerTest, ShutdownTakesCallsUntilAQuietMoment) {
  const std::unique_ptr<OpenCall> call = HeldDecrypt();
  std::atomic<bool> done{false};
  OnLoop([&] { server_->Shutdown(BootNow() + seconds(15), [&] { done = true; }); });
  grpc::ClientContext context;
  v2::StatusResponse response;
  EXPECT_TRUE(stub_->Status(&context, v2::StatusRequest(), &response).ok());
  EXPECT_FALSE(done);
  world_.workers.AnswerOpen(DecryptedTo("p"));
  EXPECT_TRUE(call->Await().ok());
  EXPECT_TRUE(Eventually([&] { return done.load(); }));
}

TEST_F(ServerTest, ShutdownEndsAtItsDeadline) {
  const std::unique_ptr<OpenCall> call = HeldDecrypt();
  const BootTime before = BootNow();
  std::atomic<bool> done{false};
  OnLoop([&] { server_->Shutdown(BootNow() + milliseconds(200), [&] { done = true; }); });
  EXPECT_TRUE(Eventually([&] { return done.load(); }));
  EXPECT_GE(BootNow() - before, milliseconds(200));
  EXPECT_LT(BootNow() - before, seconds(2));
  EXPECT_FALSE(call->Await().ok());
  EXPECT_EQ(std::get<1>(world_.metrics.Finished().at(0)), "canceled");
}

TEST_F(ServerTest, DestructionWithCallsInProgressIsClean) {
  const std::unique_ptr<OpenCall> call = HeldDecrypt();
  OnLoop([&] {
    acceptor_->Stop();
    server_.reset();
  });
  EXPECT_FALSE(call->Await().ok());
  EXPECT_EQ(world_.metrics.Finished().size(), 1U);
}

}  // namespace
}  // namespace baokms::supervisor
