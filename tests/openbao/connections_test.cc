// Which connection a call gets, and what becomes of it.

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/openbao/client_fixture.h"
#include "tests/openbao/hostile_server.h"

namespace baokms::openbao {
namespace {

// Holds scripts back until it is opened.
class ScriptLatch final {
 public:
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

  void Wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    --waiting_;
  }

  int waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int waiting_ = 0;
};

class ConnectionsTest : public ::testing::Test {
 protected:
  ServerIdentity Identity() const { return authority_.Issue("DNS:" + std::string(kServerName)); }

  TestAuthority authority_{"test authority"};
  const std::string answer_ = HttpAnswer("200 OK", kUpsertAnswer);
};

// Starts `count` calls whose ends are counted by class.
void StartMany(ClientRig& rig, int count, std::vector<ErrorClass>& ends) {
  for (int i = 0; i < count; ++i) {
    rig.client().ReadUpsert(
        rig.Context(std::chrono::seconds(15)),
        [&ends](const CallReport& report, UpsertValue) { ends.push_back(report.error_class); });
  }
}

TEST_F(ConnectionsTest, SixtyFourCallsShareSixteenConnections) {
  ScriptLatch latch;
  HostileServer server(Identity(), [&](Session& session) {
    while (session.Read()) {
      latch.Wait();
      session.Write(answer_);
    }
  });
  ClientRig rig(authority_, {server.port()});
  std::vector<ErrorClass> ends;
  StartMany(rig, 64, ends);
  rig.RunUntil([&] { return latch.waiting() == 16; });
  rig.RunFor(std::chrono::milliseconds(50));
  EXPECT_EQ(server.accepted(), 16);
  latch.Open();
  rig.RunUntil([&] { return ends.size() == 64; });
  EXPECT_EQ(ends, std::vector<ErrorClass>(64, ErrorClass::kOk));
  EXPECT_EQ(server.accepted(), 16);
  EXPECT_EQ(server.most_at_once(), 16);
}

TEST_F(ConnectionsTest, ServesInTheOrderOfTheCalls) {
  std::mutex mutex;
  std::vector<std::string> seen;
  HostileServer server(Identity(), [&](Session& session) {
    while (const auto request = session.Read()) {
      {
        const std::lock_guard lock(mutex);
        seen.push_back(request->body);
      }
      session.Write(HttpAnswer("200 OK", R"({"data":{"plaintext":"eA=="}})"));
    }
  });
  ClientRig rig(authority_.CertificatePem(), {{server.port()}},
                [](ClientOptions& options) { options.max_connections = 1; });
  std::size_t ended = 0;
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    const std::string ciphertext = "vault:v1:" + std::to_string(i);
    expected.push_back(R"({"ciphertext":")" + ciphertext + R"(","associated_data":"e30="})");
    rig.client().Decrypt(rig.Context(), ciphertext,
                         "e30=", [&](const CallReport&, SecretBuffer) { ++ended; });
  }
  rig.RunUntil([&] { return ended == 20; });
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(ConnectionsTest, AConnectionClosedWhileIdleIsInvisible) {
  HostileServer server(Identity(), [&](Session& session) {
    if (session.Read()) {
      session.Write(answer_);
    }  // and close, with a TLS alert
  });
  ClientRig rig(authority_, {server.port()});
  for (int i = 1; i <= 5; ++i) {
    const Ended<UpsertValue> ended = rig.ReadUpsert();
    EXPECT_EQ(ended.report.error_class, ErrorClass::kOk);
    EXPECT_EQ(ended.report.calls.size(), 1U);
    EXPECT_EQ(server.accepted(), i);
    rig.RunFor(std::chrono::milliseconds(20));
  }
}

TEST_F(ConnectionsTest, ManyConnectionsClosedWhileIdleAreInvisible) {
  ScriptLatch latch;
  std::atomic<int> rounds = 0;
  HostileServer server(Identity(), [&](Session& session) {
    if (session.Read()) {
      ++rounds;
      latch.Wait();
      session.Write(answer_);
    }
  });
  ClientRig rig(authority_, {server.port()});
  std::vector<ErrorClass> ends;
  StartMany(rig, 16, ends);
  rig.RunUntil([&] { return latch.waiting() == 16; });
  latch.Open();
  rig.RunUntil([&] { return ends.size() == 16; });
  rig.RunFor(std::chrono::milliseconds(20));
  StartMany(rig, 16, ends);  // all sixteen idle ones are gone
  rig.RunUntil([&] { return ends.size() == 32; });
  EXPECT_EQ(ends, std::vector<ErrorClass>(32, ErrorClass::kOk));
}

TEST_F(ConnectionsTest, AResetOfAConnectionInReuseIsInvisible) {
  HostileServer server(Identity(), [&](Session& session) {
    (void)session.Read();
    session.Write(answer_);
    if (session.Read()) {
      session.Reset();  // the second request of each connection
    }
  });
  ClientRig rig(authority_, {server.port()});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kOk) << i;
  }
}

TEST_F(ConnectionsTest, AFreshCallUsesAConnectionOfItsOwnOnce) {
  std::mutex mutex;
  std::vector<int> seen;
  HostileServer server(Identity(), [&](Session& session) {
    while (session.Read()) {
      {
        const std::lock_guard lock(mutex);
        seen.push_back(session.number());
      }
      session.Write(answer_);
    }
  });
  ClientRig rig(authority_, {server.port()});
  const auto read = [&](ConnectionUse use) {
    CallContext context = rig.Context();
    context.connection = use;
    EXPECT_EQ(rig.ReadUpsert(context).report.error_class, ErrorClass::kOk);
  };
  read(ConnectionUse::kAny);
  read(ConnectionUse::kFresh);
  read(ConnectionUse::kFresh);
  read(ConnectionUse::kAny);
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 0}));
}

TEST_F(ConnectionsTest, AFreshCallDoesNotWaitForBusyConnections) {
  ScriptLatch latch;
  HostileServer server(Identity(), [&](Session& session) {
    while (session.Read()) {
      if (session.number() < 2) {
        latch.Wait();
      }
      session.Write(answer_);
    }
  });
  ClientRig rig(authority_.CertificatePem(), {{server.port()}},
                [](ClientOptions& options) { options.max_connections = 2; });
  std::vector<ErrorClass> ends;
  StartMany(rig, 2, ends);
  rig.RunUntil([&] { return latch.waiting() == 2; });
  CallContext context = rig.Context();
  context.connection = ConnectionUse::kFresh;
  EXPECT_EQ(rig.ReadUpsert(context).report.error_class, ErrorClass::kOk);
  latch.Open();
  rig.RunUntil([&] { return ends.size() == 2; });
}

TEST_F(ConnectionsTest, ACancelledCallIsNeverHeardOfAgain) {
  ScriptLatch latch;
  HostileServer server(Identity(), [&](Session& session) {
    while (session.Read()) {
      if (session.number() == 0) {
        latch.Wait();
      }
      session.Write(answer_);
    }
  });
  ClientRig rig(authority_.CertificatePem(), {{server.port()}},
                [](ClientOptions& options) { options.max_connections = 1; });
  bool called = false;
  const auto note = [&called](const CallReport&, UpsertValue) {
    called = true;
  };
  const CallId running = rig.client().ReadUpsert(rig.Context(), note);
  const CallId waiting = rig.client().ReadUpsert(rig.Context(), note);
  rig.RunUntil([&] { return latch.waiting() == 1; });
  rig.client().Cancel(waiting);
  rig.client().Cancel(running);
  rig.client().Cancel(running);
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kOk);  // on another connection
  latch.Open();
  rig.RunFor(std::chrono::milliseconds(20));
  EXPECT_FALSE(called);
  EXPECT_EQ(server.accepted(), 2);
}

TEST_F(ConnectionsTest, ACallCancelledBeforeItsSocketCameLeavesTheSocketToTheNext) {
  HostileServer server(Identity(), AlwaysAnswer(answer_));
  ClientRig rig(authority_, {server.port()});
  bool called = false;
  const CallId call = rig.client().ReadUpsert(
      rig.Context(), [&called](const CallReport&, UpsertValue) { called = true; });
  rig.client().Cancel(call);
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kOk);
  EXPECT_FALSE(called);
  EXPECT_EQ(rig.connector().asked.size(), 1U);
}

TEST_F(ConnectionsTest, ATimedOutCallRetiresItsConnection) {
  HostileServer server(Identity(), [&](Session& session) {
    while (session.Read()) {
      if (session.number() > 0) {
        session.Write(answer_);
      } else {
        session.Write(std::string_view(answer_).substr(0, 20));  // slow headers
      }
    }
  });
  ClientRig rig(authority_, {server.port()});
  const Ended<UpsertValue> slow = rig.ReadUpsert(rig.Context(std::chrono::milliseconds(200)));
  EXPECT_EQ(slow.report.error_class, ErrorClass::kTimeout);
  ASSERT_EQ(slow.report.calls.size(), 1U);
  EXPECT_EQ(slow.report.calls[0].error_class, ErrorClass::kTimeout);
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kOk);
  EXPECT_EQ(server.accepted(), 2);
}

TEST_F(ConnectionsTest, CallbacksMayStartAndCancelCalls) {
  HostileServer server(Identity(), AlwaysAnswer(answer_));
  ClientRig rig(authority_, {server.port()});
  int ended = 0;
  std::function<void(const CallReport&, UpsertValue)> again = [&](const CallReport&, UpsertValue) {
    if (++ended < 50) {
      const CallId doomed = rig.client().ReadUpsert(
          rig.Context(), [](const CallReport&, UpsertValue) { FAIL() << "was cancelled"; });
      rig.client().ReadUpsert(rig.Context(), again);
      rig.client().Cancel(doomed);
    }
  };
  rig.client().ReadUpsert(rig.Context(), again);
  rig.RunUntil([&] { return ended == 50; });
}

TEST_F(ConnectionsTest, TheClientMayDieWithCallsInEveryState) {
  ScriptLatch latch;
  HostileServer server(Identity(), [&](Session& session) {
    while (session.Read()) {
      latch.Wait();
      session.Write(answer_);
    }
  });
  ClientRig rig(authority_.CertificatePem(), {{server.port()}},
                [](ClientOptions& options) { options.max_connections = 3; });
  std::vector<ErrorClass> ends;
  StartMany(rig, 5, ends);
  rig.RunUntil([&] { return latch.waiting() == 3; });
  rig.connector().answers = false;
  CallContext context = rig.Context();
  context.connection = ConnectionUse::kFresh;
  rig.client().ReadUpsert(context, [](const CallReport&, UpsertValue) { FAIL(); });
  rig.DestroyClient();
  latch.Open();
  rig.RunFor(std::chrono::milliseconds(20));
  EXPECT_TRUE(ends.empty());
}

TEST_F(ConnectionsTest, EachConnectionPresentsItsCertificate) {
  std::atomic<int> resumed = 0;
  HostileServer server(Identity(), [&](Session& session) {
    while (session.Read()) {
      resumed += session.WasResumed() ? 1 : 0;
      session.Write(answer_);
    }
  });
  for (const bool tls12 : {false, true}) {
    if (tls12) {
      server.LimitToTls12();
    }
    ClientRig rig(authority_, {server.port()});
    for (int i = 0; i < 3; ++i) {
      CallContext context = rig.Context();
      context.connection = ConnectionUse::kFresh;
      ASSERT_EQ(rig.ReadUpsert(context).report.error_class, ErrorClass::kOk);
    }
  }
  EXPECT_EQ(server.accepted(), 6);
  EXPECT_EQ(resumed, 0);
}

}  // namespace
}  // namespace baokms::openbao
