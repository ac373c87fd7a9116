#include "supervisor/broker/resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "ipc/limits.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {
namespace {

using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string ToText(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.storage.ss_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&address.storage);
    ::inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(in->sin_port));
  }
  const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
  ::inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
  return "[" + std::string(text) + "]:" + std::to_string(ntohs(in6->sin6_port));
}

class ResolverTest : public ::testing::Test {
 protected:
  std::vector<std::string> Resolve(const std::string& host, BootTime limit) {
    std::optional<std::vector<std::string>> found;
    resolver_->Resolve(host, 8200, limit, [&](const std::vector<SocketAddress>& addresses) {
      EXPECT_FALSE(found.has_value()) << "called back twice";
      found.emplace();
      for (const SocketAddress& address : addresses) {
        found->push_back(ToText(address));
      }
    });
    EXPECT_FALSE(found.has_value()) << "later, never from inside Resolve()";
    EXPECT_TRUE(RunUntil(*loop_, [&] { return found.has_value(); }));
    RunFor(*loop_, milliseconds(2));
    return found.value_or(std::vector<std::string>());
  }

  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  std::unique_ptr<Resolver> resolver_ = Resolver::Create(*loop_).value();
};

std::vector<SocketAddress> Addresses(sa_family_t family, std::size_t count) {
  std::vector<SocketAddress> addresses(count);
  for (SocketAddress& address : addresses) {
    address.storage.ss_family = family;
  }
  return addresses;
}

// How many addresses of each family are left, and whether all of IPv6 come first.
void ExpectMerged(std::size_t v6, std::size_t v4, std::size_t left_v6, std::size_t left_v4) {
  const auto merged = MergeFamilies(Addresses(AF_INET6, v6), Addresses(AF_INET, v4));
  ASSERT_EQ(merged.size(), left_v6 + left_v4);
  for (std::size_t i = 0; i < merged.size(); ++i) {
    EXPECT_EQ(merged[i].storage.ss_family, i < left_v6 ? AF_INET6 : AF_INET) << i;
  }
}

TEST(MergeFamiliesTest, PutsIpv6FirstAndLosesNoFamily) {
  constexpr std::size_t kMax = ipc::kMaxAddresses;
  ExpectMerged(2, 1, 2, 1);
  ExpectMerged(0, 3, 0, 3);
  ExpectMerged(kMax, 0, kMax, 0);
  ExpectMerged(kMax, 1, kMax - 1, 1);
  ExpectMerged(1, kMax, 1, kMax - 1);
  ExpectMerged(kMax, kMax, kMax / 2, kMax / 2);
}

TEST_F(ResolverTest, TakesAddressesAsTheyAre) {
  EXPECT_THAT(Resolve("192.0.2.7", milliseconds(500)), ElementsAre("192.0.2.7:8200"));
  EXPECT_THAT(Resolve("2001:db8::7", milliseconds(500)), ElementsAre("[2001:db8::7]:8200"));
}

TEST_F(ResolverTest, ReadsTheHostsFile) {
  EXPECT_THAT(Resolve("localhost", milliseconds(500)), Contains("127.0.0.1:8200"));
}

// RFC 6761: a name below .invalid never exists, whatever name server is asked or missing.
TEST_F(ResolverTest, GivesNothingForANameThatDoesNotExist) {
  const BootTime begin = BootNow();
  EXPECT_THAT(Resolve("openbao.invalid", milliseconds(300)), IsEmpty());
  EXPECT_LT(BootNow() - begin, milliseconds(1500));
}

TEST_F(ResolverTest, GivesNothingForTextThatIsNoName) {
  EXPECT_THAT(Resolve("", milliseconds(100)), IsEmpty());
  EXPECT_THAT(Resolve(std::string(300, 'a'), milliseconds(100)), IsEmpty());
}

TEST_F(ResolverTest, LooksUpSeveralNamesAtOnce) {
  int answers = 0;
  for (const char* host : {"192.0.2.1", "localhost", "192.0.2.2", "localhost"}) {
    resolver_->Resolve(host, 1, milliseconds(500), [&](const std::vector<SocketAddress>& found) {
      EXPECT_FALSE(found.empty());
      ++answers;
    });
  }
  EXPECT_TRUE(RunUntil(*loop_, [&] { return answers == 4; }));
}

TEST_F(ResolverTest, MayEndInTheMiddleOfALookup) {
  const int before = CountDescriptors();
  bool called = false;
  resolver_->Resolve("openbao.invalid", 1, std::chrono::seconds(5),
                     [&](const std::vector<SocketAddress>&) { called = true; });
  resolver_.reset();
  RunFor(*loop_, milliseconds(5));
  EXPECT_FALSE(called);
  EXPECT_EQ(CountDescriptors(), before);
}

}  // namespace
}  // namespace baokms::supervisor
