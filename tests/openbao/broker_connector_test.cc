#include "common/openbao/broker_connector.h"

#include <sys/socket.h>
#include <fcntl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/unique_fd.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"

namespace baokms::openbao {
namespace {

using namespace std::chrono_literals;

class BrokerConnectorTest : public testing::Test {
 protected:
  Connector::Callback Keep() {
    return [this](SocketAnswer answer) {
      answers_.push_back(std::move(answer));
    };
  }

  static UniqueFd Socket(int domain = AF_INET, int type = SOCK_STREAM | SOCK_NONBLOCK) {
    return UniqueFd(::socket(domain, type | SOCK_CLOEXEC, 0));
  }

  static ipc::ConnectAnswer Answer(std::uint64_t id, ipc::Outcome outcome) {
    ipc::ConnectAnswer answer;
    answer.set_id(id);
    answer.set_outcome(outcome);
    answer.set_address(outcome == ipc::OUTCOME_OK ? 3 : 0);
    answer.set_untried(1);
    answer.set_receipt(1'000 + id);
    return answer;
  }

  void RunFor(BootTime time) {
    loop_->After(time, [this] { loop_->Stop(); });
    ASSERT_TRUE(loop_->Run().has_value());
  }

  void ExpectViolation(const Status& status) {
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code(), ErrorCode::kProtocolViolation);
  }

  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  std::vector<ipc::ConnectRequest> requests_;
  std::vector<ipc::ConnectReport> reports_;
  std::vector<SocketAnswer> answers_;
  BrokerConnector connector_{
      *loop_,
      {.request = [this](const ipc::ConnectRequest& request) { requests_.push_back(request); },
       .report =
           [this](const ipc::ConnectReport& report) {
             reports_.push_back(report);
           }}};
};

TEST_F(BrokerConnectorTest, AsksByNumberAndHandsTheSocketOn) {
  const auto id = connector_.RequestSocket(1, {4, 2}, Keep());
  ASSERT_EQ(requests_.size(), 1U);
  EXPECT_EQ(requests_[0].id(), id);
  EXPECT_EQ(requests_[0].endpoint(), 1U);
  EXPECT_THAT(requests_[0].tried(), testing::ElementsAre(4, 2));
  EXPECT_TRUE(answers_.empty());
  UniqueFd socket = Socket();
  const int number = socket.get();
  ASSERT_TRUE(connector_.OnAnswer(Answer(id, ipc::OUTCOME_OK), std::move(socket)).has_value());
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(answers_[0].error_class, ErrorClass::kOk);
  EXPECT_EQ(answers_[0].socket.id, id);
  EXPECT_EQ(answers_[0].socket.fd.get(), number);
  EXPECT_EQ(answers_[0].address, 3U);
  EXPECT_EQ(answers_[0].untried, 1U);
}

TEST_F(BrokerConnectorTest, AcceptsIpv6) {
  const auto id = connector_.RequestSocket(0, {}, Keep());
  ASSERT_TRUE(connector_.OnAnswer(Answer(id, ipc::OUTCOME_OK), Socket(AF_INET6)).has_value());
  EXPECT_EQ(answers_.back().error_class, ErrorClass::kOk);
}

TEST_F(BrokerConnectorTest, AFailureStillSaysWhichAddressItWasAndHowManyAreLeft) {
  const auto id = connector_.RequestSocket(0, {}, Keep());
  ipc::ConnectAnswer answer = Answer(id, ipc::OUTCOME_CONNECTION_FAILED);
  answer.set_address(9);
  ASSERT_TRUE(connector_.OnAnswer(answer, UniqueFd()).has_value());
  EXPECT_EQ(answers_.back().error_class, ErrorClass::kConnectionFailed);
  EXPECT_EQ(answers_.back().address, 9U);
  EXPECT_EQ(answers_.back().untried, 1U);
}

TEST_F(BrokerConnectorTest, RefusesAnswersWithImpossibleAddresses) {
  const auto id = connector_.RequestSocket(0, {}, Keep());
  ipc::ConnectAnswer none = Answer(id, ipc::OUTCOME_OK);
  none.set_address(0);
  ExpectViolation(connector_.OnAnswer(none, Socket()));
  ipc::ConnectAnswer many = Answer(id, ipc::OUTCOME_OK);
  many.set_untried(ipc::kMaxAddresses + 1);
  ExpectViolation(connector_.OnAnswer(many, Socket()));
}

TEST_F(BrokerConnectorTest, TellsLookupFailuresFromConnectFailures) {
  struct Row {
    ipc::Outcome outcome;
    ErrorClass error_class;
  };

  for (const Row& row : {Row{ipc::OUTCOME_DNS_FAILED, ErrorClass::kDnsFailed},
                         Row{ipc::OUTCOME_CONNECTION_FAILED, ErrorClass::kConnectionFailed},
                         Row{ipc::OUTCOME_INVALID_REQUEST, ErrorClass::kConnectionFailed},
                         Row{ipc::OUTCOME_OVERLOADED, ErrorClass::kConnectionFailed}}) {
    const auto id = connector_.RequestSocket(0, {}, Keep());
    ASSERT_TRUE(connector_.OnAnswer(Answer(id, row.outcome), UniqueFd()).has_value());
    EXPECT_EQ(answers_.back().error_class, row.error_class);
    EXPECT_FALSE(answers_.back().socket.fd.valid());
  }
}

TEST_F(BrokerConnectorTest, ReportsHowAConnectionTurnedOut) {
  connector_.Report(7, Connector::SocketState::kUsable);
  connector_.Report(8, Connector::SocketState::kUnusable);
  ASSERT_EQ(reports_.size(), 2U);
  EXPECT_EQ(reports_[0].id(), 7U);
  EXPECT_TRUE(reports_[0].usable());
  EXPECT_FALSE(reports_[1].usable());
}

TEST_F(BrokerConnectorTest, RefusesEverythingThatIsNotAConnectingTcpSocket) {
  const auto id = connector_.RequestSocket(0, {}, Keep());
  const ipc::ConnectAnswer ok = Answer(id, ipc::OUTCOME_OK);
  ExpectViolation(connector_.OnAnswer(ok, Socket(AF_UNIX)));
  ExpectViolation(connector_.OnAnswer(ok, Socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK)));
  ExpectViolation(connector_.OnAnswer(ok, Socket(AF_INET, SOCK_STREAM)));
  ExpectViolation(connector_.OnAnswer(ok, UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC))));
  ExpectViolation(connector_.OnAnswer(ok, UniqueFd()));
  ExpectViolation(connector_.OnAnswer(Answer(id, ipc::OUTCOME_DNS_FAILED), Socket()));
  EXPECT_TRUE(answers_.empty());
}

TEST_F(BrokerConnectorTest, AnswersThatNobodyAskedForAreViolations) {
  ExpectViolation(connector_.OnAnswer(Answer(0, ipc::OUTCOME_OK), Socket()));
  ExpectViolation(connector_.OnAnswer(Answer(1, ipc::OUTCOME_OK), Socket()));
  const auto id = connector_.RequestSocket(0, {}, Keep());
  ASSERT_TRUE(connector_.OnAnswer(Answer(id, ipc::OUTCOME_OK), Socket()).has_value());
  ExpectViolation(connector_.OnAnswer(Answer(id, ipc::OUTCOME_OK), Socket()));
  EXPECT_EQ(answers_.size(), 1U);
}

TEST_F(BrokerConnectorTest, ClosesTheSocketOfACancelledRequest) {
  const auto id = connector_.RequestSocket(0, {}, Keep());
  connector_.CancelRequest(id);
  connector_.CancelRequest(id);
  UniqueFd socket = Socket();
  const int number = socket.get();
  EXPECT_TRUE(connector_.OnAnswer(Answer(id, ipc::OUTCOME_OK), std::move(socket)).has_value());
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
  EXPECT_TRUE(answers_.empty());
  ExpectViolation(connector_.OnAnswer(Answer(id, ipc::OUTCOME_OK), Socket()));
}

TEST_F(BrokerConnectorTest, SendsNoMoreThanTheBrokerAcceptsAndTheRestWhenItAnswers) {
  for (std::size_t i = 0; i < ipc::kMaxUnansweredConnects; ++i) {
    connector_.CancelRequest(connector_.RequestSocket(0, {}, Keep()));
  }
  ASSERT_EQ(requests_.size(), ipc::kMaxUnansweredConnects) << "cancelled ones are unanswered too";
  const auto cancelled = connector_.RequestSocket(0, {}, Keep());
  const auto next = connector_.RequestSocket(0, {7}, Keep());
  connector_.RequestSocket(0, {}, Keep());
  connector_.CancelRequest(cancelled);
  RunFor(5ms);
  EXPECT_EQ(requests_.size(), ipc::kMaxUnansweredConnects);
  EXPECT_TRUE(answers_.empty());
  ExpectViolation(connector_.OnAnswer(Answer(next, ipc::OUTCOME_DNS_FAILED), {}));

  // One answer makes room for one request, which says that the answer was received.
  const std::uint64_t first = requests_[0].id();
  ASSERT_TRUE(connector_.OnAnswer(Answer(first, ipc::OUTCOME_DNS_FAILED), {}).has_value());
  ASSERT_EQ(requests_.size(), ipc::kMaxUnansweredConnects + 1);
  EXPECT_EQ(requests_[0].receipt(), 0U);
  EXPECT_EQ(requests_.back().id(), next);
  EXPECT_THAT(requests_.back().tried(), testing::ElementsAre(7));
  EXPECT_EQ(requests_.back().receipt(), 1'000 + first);
}

TEST_F(BrokerConnectorTest, RefusesItselfWhatIsOverTheRate) {
  std::size_t refused = 0;
  for (std::size_t i = 0; i < 2 * static_cast<std::size_t>(ipc::kConnectsPerSecond); ++i) {
    const std::size_t before = requests_.size();
    const auto id = connector_.RequestSocket(0, {}, Keep());
    if (requests_.size() == before) {
      ++refused;
      continue;
    }
    ASSERT_TRUE(connector_.OnAnswer(Answer(id, ipc::OUTCOME_DNS_FAILED), {}).has_value());
  }
  ASSERT_GT(refused, 0U);
  RunFor(5ms);
  EXPECT_EQ(answers_.size(), requests_.size() + refused) << "each call is told";
  EXPECT_EQ(answers_.back().error_class, ErrorClass::kConnectionFailed);
}

}  // namespace
}  // namespace baokms::openbao
