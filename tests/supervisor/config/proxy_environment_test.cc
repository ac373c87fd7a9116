#include "supervisor/config/proxy_environment.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/setup/url.h"
#include "supervisor/config/load.h"

namespace baokms::supervisor {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

Environment EnvironmentOf(Variables variables) {
  return [variables = std::move(variables)](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

// "host:port", "direct" or "refused".
std::string Choice(const Variables& variables, std::string_view url = "https://issuer.test/token") {
  const ProxyChoice choice = FindProxy(EnvironmentOf(variables), *setup::ParseTokenUrl(url));
  if (choice.refusal) {
    return "refused";
  }
  return choice.proxy ? choice.proxy->host + ":" + std::to_string(choice.proxy->port) : "direct";
}

bool Exempt(std::string_view list, std::string_view url = "https://issuer.test/token") {
  return IsExempt(list, *setup::ParseTokenUrl(url));
}

TEST(ProxyEnvironmentTest, TakesTheHttpsProxyInEitherCase) {
  EXPECT_EQ(Choice({}), "direct");
  EXPECT_EQ(Choice({{"HTTP_PROXY", "http://a:1"}, {"ALL_PROXY", "http://b:2"}}), "direct");
  EXPECT_EQ(Choice({{"HTTPS_PROXY", "http://a:3128"}}), "a:3128");
  EXPECT_EQ(Choice({{"https_proxy", "http://b:3128/"}}), "b:3128");
  EXPECT_EQ(Choice({{"HTTPS_PROXY", "http://a:1"}, {"https_proxy", "http://b:2"}}), "a:1");
  EXPECT_EQ(Choice({{"HTTPS_PROXY", ""}, {"https_proxy", "http://b:2"}}), "b:2");
}

TEST(ProxyEnvironmentTest, KnowsTheFormsOfAProxy) {
  EXPECT_EQ(Choice({{"HTTPS_PROXY", "proxy.test:8080"}}), "proxy.test:8080");
  EXPECT_EQ(Choice({{"HTTPS_PROXY", "http://proxy.test"}}), "proxy.test:80");
  EXPECT_EQ(Choice({{"HTTPS_PROXY", "HTTP://[::2]:8080"}}), "::2:8080");
  EXPECT_EQ(Choice({{"HTTPS_PROXY", "http://[::2]"}}), "::2:80");
  for (const char* url :
       {"https://proxy.test:1", "socks5://proxy.test:1", "http://u:p@proxy.test:1",
        "http://proxy.test:1/path", "http://proxy.test:1?q", "http://", "http://proxy.test:99999",
        "://", "u@proxy.test:1"}) {
    EXPECT_EQ(Choice({{"HTTPS_PROXY", url}}), "refused") << url;
  }
}

TEST(ProxyEnvironmentTest, RepeatsNoPartOfARefusedUrl) {
  const ProxyChoice choice =
      FindProxy(EnvironmentOf({{"HTTPS_PROXY", "http://user:hunter2@proxy.test:1"}}),
                *setup::ParseTokenUrl("https://issuer.test/"));
  ASSERT_TRUE(choice.refusal.has_value());
  for (const char* part : {"user:", "hunter2", "proxy.test"}) {
    EXPECT_EQ(choice.refusal->find(part), std::string::npos);
  }
}

TEST(ProxyEnvironmentTest, ReachesThisMachineDirectly) {
  const Variables variables{{"HTTPS_PROXY", "http://a:1"}};
  for (const char* url :
       {"https://localhost/t", "https://LOCALHOST:8443/t", "https://127.0.0.1/t",
        "https://127.9.9.9:1/t", "https://[::1]/t", "https://[::ffff:127.0.0.1]/t"}) {
    EXPECT_EQ(Choice(variables, url), "direct") << url;
  }
  EXPECT_EQ(Choice(variables, "https://localhost.test/t"), "a:1");
}

TEST(ProxyEnvironmentTest, ObeysNoProxy) {
  EXPECT_EQ(Choice({{"HTTPS_PROXY", "http://a:1"}, {"NO_PROXY", "issuer.test"}}), "direct");
  EXPECT_EQ(Choice({{"HTTPS_PROXY", "http://a:1"}, {"no_proxy", "issuer.test"}}), "direct");
  EXPECT_EQ(Choice({{"HTTPS_PROXY", "http://a:1"}, {"NO_PROXY", "other.test"}}), "a:1");
}

TEST(ProxyEnvironmentTest, MatchesNamesAndTheirSubdomains) {
  for (const char* list : {"*", "issuer.test", "ISSUER.test", "test", "*.test", ".test",
                           "a.b, issuer.test ,c", "issuer.test:443", "test:443"}) {
    EXPECT_TRUE(Exempt(list)) << list;
  }
  for (const char* list :
       {"", ",", " ", "ssuer.test", "uer.test", "issuer.test:8443", ".issuer.test", "*.issuer.test",
        "x.issuer.test", "issuer.test.", "10.0.0.0/8", "*issuer.test"}) {
    EXPECT_FALSE(Exempt(list)) << list;
  }
  EXPECT_TRUE(Exempt("issuer.test", "https://a.b.issuer.test:8443/"));
}

TEST(ProxyEnvironmentTest, MatchesAddressesAndNetworks) {
  const char* four = "https://10.1.2.3:8443/";
  for (const char* list : {"10.1.2.3", "10.1.2.3:8443", "10.1.2.0/24", "10.0.0.0/8", "0.0.0.0/0",
                           "10.1.2.2/31", "10.1.2.3/32"}) {
    EXPECT_TRUE(Exempt(list, four)) << list;
  }
  for (const char* list : {"10.1.2.4", "10.1.2.3:443", "10.1.2.4/31", "11.0.0.0/8", "10.1.2.3/33",
                           "10.1.2.3/", "10.1.2.3/x", "::/0", "2.3"}) {
    EXPECT_FALSE(Exempt(list, four)) << list;
  }
  const char* six = "https://[2001:db8::5]/";
  EXPECT_TRUE(Exempt("2001:db8::5", six));
  EXPECT_TRUE(Exempt("[2001:db8::5]:443", six));
  EXPECT_TRUE(Exempt("2001:db8::/32", six));
  EXPECT_FALSE(Exempt("2001:db9::/32", six));
  EXPECT_FALSE(Exempt("0.0.0.0/0", six));
  const char* mapped = "https://[::ffff:10.1.2.3]/";
  EXPECT_TRUE(Exempt("10.1.2.3", mapped));
  EXPECT_TRUE(Exempt("10.0.0.0/8", mapped));
  EXPECT_TRUE(Exempt("::ffff:10.0.0.0/104", mapped));
  EXPECT_FALSE(Exempt("11.0.0.0/8", mapped));
}

}  // namespace
}  // namespace baokms::supervisor
