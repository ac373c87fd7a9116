// The probe against a KMS v2 server that can be told to misbehave.

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/base/unique_fd.h"
#include "proto/kms_v2.grpc.pb.h"
#include "tests/supervisor/cli/cli_run.h"

namespace baokms::supervisor {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kKeyId = "obk2.ig7zS9_yvQrdlcvWgJUhA5q_fQYupc5jRX5MzhAMQSk";
constexpr const char* kOtherKeyId = "obk2.SU0bKFnl1E6uEttJ3yhQy_uGBWZ6MUOJrNH4VJwtz0k";

struct Behaviour {
  std::string version = "v2";
  std::string healthz = "ok";
  std::string key_id = kKeyId;
  std::string encrypt_key_id = kKeyId;
  bool empty_ciphertext = false;
  bool wrong_plaintext = false;
  bool hang = false;
  std::size_t padding = 0;
  grpc::Status status{};
  grpc::Status encrypt{};
  grpc::Status decrypt{};
};

class FakeKms final : public v2::KeyManagementService::Service {
 public:
  explicit FakeKms(Behaviour behaviour) : behaviour_(std::move(behaviour)) {}

  grpc::Status Status(grpc::ServerContext* context,
                      const v2::StatusRequest* /*request*/,
                      v2::StatusResponse* response) override {
    while (behaviour_.hang && !context->IsCancelled()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    response->set_version(behaviour_.version);
    response->set_healthz(behaviour_.healthz + std::string(behaviour_.padding, 'x'));
    response->set_key_id(behaviour_.key_id);
    return behaviour_.status;
  }

  grpc::Status Encrypt(grpc::ServerContext* /*context*/,
                       const v2::EncryptRequest* request,
                       v2::EncryptResponse* response) override {
    uids.push_back(request->uid());
    plaintext = request->plaintext();
    response->set_ciphertext(behaviour_.empty_ciphertext ? "" : "sealed");
    response->set_key_id(behaviour_.encrypt_key_id);
    v2::Annotation* annotation = response->add_annotations();
    annotation->set_key("a.b");
    annotation->set_value("c");
    return behaviour_.encrypt;
  }

  grpc::Status Decrypt(grpc::ServerContext* /*context*/,
                       const v2::DecryptRequest* request,
                       v2::DecryptResponse* response) override {
    uids.push_back(request->uid());
    EXPECT_EQ(request->ciphertext(), "sealed");
    EXPECT_EQ(request->key_id(), kKeyId);
    EXPECT_EQ(request->annotations_size(), 1);
    response->set_plaintext(behaviour_.wrong_plaintext ? "other" : plaintext);
    return behaviour_.decrypt;
  }

  std::vector<std::string> uids;
  std::string plaintext;

 private:
  const Behaviour behaviour_;
};

class ProbeTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<char, 32> name{"/tmp/baokms-probe-XXXXXX"};
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name.data();
    path_ = root_ + "/kms.sock";
  }

  void TearDown() override {
    server_.reset();
    fs::remove_all(root_);
  }

  void Serve(Behaviour behaviour) {
    service_ = std::make_unique<FakeKms>(std::move(behaviour));
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + path_, grpc::InsecureServerCredentials());
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }

  // The checks after those about the caller and the socket file, as "<status> <id>".
  std::vector<std::string> Checks(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"probe", "--socket", path_, "--timeout",
                                       "5s",    "--output", "json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    outcome_ = Invoke(arguments);
    std::vector<std::string> checks;
    const nlohmann::json report = nlohmann::json::parse(outcome_.out);
    for (const auto& check : report["checks"]) {
      const std::string id = check["id"];
      if (id != "client.identity" && id != "socket.path" && id != "socket.access_scope") {
        checks.push_back(check["status"].get<std::string>() + " " + id);
      }
    }
    EXPECT_THAT(outcome_.out, Not(HasSubstr("secret server text")));
    return checks;
  }

  std::string root_;
  std::string path_;
  std::unique_ptr<FakeKms> service_;
  std::unique_ptr<grpc::Server> server_;
  CliOutcome outcome_{};
};

TEST_F(ProbeTest, PassesAHealthyProvider) {
  Serve({});
  EXPECT_THAT(
      Checks({"--expected-key-id", kKeyId}),
      ElementsAre("pass kms.status", "pass kms.encrypt", "pass kms.decrypt", "pass kms.key_id"));
  EXPECT_EQ(outcome_.code, 0);
  EXPECT_EQ(outcome_.err, "");
  EXPECT_EQ(service_->plaintext.size(), 32U);
  ASSERT_EQ(service_->uids.size(), 2U);
  EXPECT_THAT(service_->uids[0], testing::MatchesRegex("[0-9a-f]+-encrypt"));
  EXPECT_EQ(service_->uids[0].size(), 32 + std::string("-encrypt").size());
  EXPECT_THAT(service_->uids[1], testing::MatchesRegex("[0-9a-f]+-decrypt"));
  const nlohmann::json report = nlohmann::json::parse(outcome_.out);
  EXPECT_EQ(report["name"], "probe");
  EXPECT_EQ(report["checks"].back()["message"], kKeyId);
  EXPECT_THAT(report["checks"][0]["message"].get<std::string>(),
              testing::StartsWith("uid=" + std::to_string(::geteuid()) +
                                  " gid=" + std::to_string(::getegid()) + " groups=["));
  EXPECT_EQ(report["checks"][0]["status"], ::geteuid() == 0 ? "warn" : "pass");
  EXPECT_EQ(report["checks"][2]["id"], "socket.access_scope");
  EXPECT_EQ(report["checks"][2]["status"], "warn");
}

TEST_F(ProbeTest, FailsAtTheFirstWrongAnswer) {
  const grpc::Status bad(grpc::StatusCode::UNAVAILABLE, "secret server text");

  struct Row {
    const char* name;
    Behaviour behaviour;
    std::vector<std::string> checks;
    const char* message;
  };

  const Row rows[] = {
      {"status error", {.status = bad}, {"fail kms.status"}, "failed with UNAVAILABLE"},
      {"old version", {.version = "v1beta1"}, {"fail kms.status"}, "does not speak KMS v2"},
      {"unhealthy", {.healthz = "unhealthy"}, {"fail kms.status"}, "reports that it is unhealthy"},
      {"foreign key id", {.key_id = "1"}, {"pass kms.status", "fail kms.key_id"}, "not in this"},
      {"too large", {.padding = 70'000}, {"fail kms.status"}, "RESOURCE_EXHAUSTED"},
      {"encrypt error",
       {.encrypt = bad},
       {"pass kms.status", "fail kms.encrypt"},
       "failed with UNAVAILABLE"},
      {"no ciphertext",
       {.empty_ciphertext = true},
       {"pass kms.status", "fail kms.encrypt"},
       "ciphertext is empty"},
      {"key changed",
       {.encrypt_key_id = kOtherKeyId},
       {"pass kms.status", "fail kms.key_id"},
       "changed between"},
      {"decrypt error",
       {.decrypt = bad},
       {"pass kms.status", "pass kms.encrypt", "fail kms.decrypt"},
       "failed with UNAVAILABLE"},
      {"other plaintext",
       {.wrong_plaintext = true},
       {"pass kms.status", "pass kms.encrypt", "fail kms.decrypt"},
       "other bytes"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    server_.reset();
    Serve(row.behaviour);
    EXPECT_EQ(Checks(), row.checks);
    EXPECT_EQ(outcome_.code, 4);
    EXPECT_EQ(outcome_.err, "the probe of the running provider failed\n");
    EXPECT_THAT(outcome_.out, HasSubstr(row.message));
  }
}

TEST_F(ProbeTest, TakesThePathAsTheApiServersConfigurationHasIt) {
  Serve({});
  path_ = "unix://" + path_;
  EXPECT_THAT(Checks(), ElementsAre("pass kms.status", "pass kms.encrypt", "pass kms.decrypt",
                                    "pass kms.key_id"));
}

TEST_F(ProbeTest, FailsForAnotherKeyThanExpected) {
  Serve({});
  EXPECT_THAT(Checks({"--expected-key-id", kOtherKeyId}),
              ElementsAre("pass kms.status", "fail kms.key_id"));
  EXPECT_EQ(outcome_.code, 4);
}

TEST_F(ProbeTest, KeepsToTheTimeout) {
  Serve({.hang = true});
  const auto before = std::chrono::steady_clock::now();
  EXPECT_THAT(Checks({"--timeout", "300ms"}), ElementsAre("fail kms.status"));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(3));
  EXPECT_THAT(outcome_.out, HasSubstr("DEADLINE_EXCEEDED"));
}

TEST_F(ProbeTest, NamesWhatIsWrongWithTheSocket) {
  const auto messages = [&] {
    return Invoke({"probe", "--socket", path_, "--timeout", "1s"}).out;
  };
  EXPECT_THAT(messages(), HasSubstr("[fail] socket.path: Socket file - " + path_ +
                                    ": there is no Unix socket"));
  std::ofstream(path_) << "x";
  EXPECT_THAT(messages(), HasSubstr("[fail] socket.path: Socket file - " + path_ +
                                    ": there is no Unix socket"));
  fs::remove(path_);
  fs::create_symlink("elsewhere", path_);
  EXPECT_THAT(messages(), HasSubstr("[fail] socket.path: Socket file - " + path_ +
                                    ": there is no Unix socket"));
  fs::remove(path_);

  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const void* raw = &address;
  ASSERT_EQ(::bind(socket.get(), static_cast<const sockaddr*>(raw), sizeof(address)), 0);
  EXPECT_THAT(messages(),
              HasSubstr("[fail] socket.connect: Connection - " + path_ + ": no process listens"));

  // A listener that never accepts: its queue takes one connection, the next caller waits.
  ASSERT_EQ(::listen(socket.get(), 0), 0);
  EXPECT_THAT(messages(), HasSubstr("[fail] kms.status: Status - failed with DEADLINE_EXCEEDED"));
  EXPECT_THAT(messages(),
              HasSubstr("[fail] socket.connect: Connection - " + path_ + ": no answer in time"));
}

}  // namespace
}  // namespace baokms::supervisor
