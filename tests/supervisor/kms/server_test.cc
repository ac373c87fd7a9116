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
#include "tests/supervisor/kms/server_fixture.h"

namespace baokms::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::IsEmpty;
using ::testing::SizeIs;

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

// gRPC takes a multiple of their size from the memory for each call.
TEST_F(ServerTest, HeadersThatNoApiServerSendsAreRefused) {
  const auto status_with = [this](std::size_t size) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.AddMetadata("baggage", std::string(size, 'y'));
    v2::StatusResponse response;
    return stub_->Status(&context, {}, &response).error_code();
  };
  EXPECT_EQ(status_with(3 * 1024), grpc::StatusCode::OK);
  EXPECT_EQ(status_with(5 * 1024), grpc::StatusCode::RESOURCE_EXHAUSTED);
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
