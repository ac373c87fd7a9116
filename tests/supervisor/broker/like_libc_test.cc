// Whatever the C library resolves from the same files resolves to the same addresses here. Each row
// is compared with `getent ahosts`, in a mount and a network namespace of the test.

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <netdb.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/event_loop.h"
#include "common/base/unique_fd.h"
#include "supervisor/broker/resolver.h"
#include "tests/supervisor/broker/name_server.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {
namespace {

using Addresses = std::set<std::string>;

constexpr char kFilesDns[] = "hosts: files dns\n";
constexpr char kServer[] = "nameserver 127.0.0.77\n";

const NameZone& Zone() {
  static const NameZone zone = {
      {"bao.", {.addresses = {"192.0.2.1"}}},
      {"bao.corp.test.", {.addresses = {"192.0.2.2"}}},
      {"bao.second.test.", {.addresses = {"192.0.2.3"}}},
      {"a.b.", {.addresses = {"192.0.2.4"}}},
      {"a.b.corp.test.", {.addresses = {"192.0.2.5"}}},
      {"only.absolute.test.", {.addresses = {"192.0.2.6"}}},
      {"x.only.corp.test.", {.addresses = {"192.0.2.7"}}},
      {"six.corp.test.", {.addresses = {"2001:db8::6"}}},
      {"both.", {.addresses = {"192.0.2.8", "2001:db8::8"}}},
      {"alias.corp.test.", {.alias = "bao.corp.test."}},
      {"many.", {.addresses = {"192.0.2.31", "192.0.2.32", "192.0.2.33"}}},
      {"nodata.corp.test.", {}},
      {"nodata.", {.addresses = {"192.0.2.9"}}},
      {"broken.corp.test.", {.fails = true}},
      {"broken.", {.addresses = {"192.0.2.10"}}},
      {"half.", {.addresses = {"192.0.2.11"}, .fails_for_ipv6 = true}},
      {"bao.vault.svc.cluster.local.", {.addresses = {"10.96.0.7"}}},
      {"hosted.", {.addresses = {"192.0.2.12"}}},
  };
  return zone;
}

// A hosts file with `count` addresses of each family for the name "many".
std::string ManyHosts(int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) {
    text += "192.0.2." + std::to_string(i) + " many\n2001:db8::" + std::to_string(i) + " many\n";
  }
  return text;
}

// One set of files, and the names that are looked up with it.
struct Row {
  const char* what;
  std::string resolv_conf;
  std::vector<std::string> names;
  std::string hosts = "127.0.0.1 localhost\n";
  std::string nsswitch = kFilesDns;
};

const std::vector<Row>& Rows() {
  static const std::vector<Row> rows = {
      {"no search list", kServer, {"bao", "a.b", "missing", "BAO", "bao.", "many", "both", "half"}},
      {"the root as the search list",
       "nameserver 127.0.0.77\noptions edns0 trust-ad\nsearch .\n",
       {"bao", "a.b", "missing", "bao.corp.test"}},
      {"a pod's list",
       "search vault.svc.cluster.local svc.cluster.local cluster.local\nnameserver 127.0.0.77\n"
       "options ndots:5\n",
       {"bao", "bao.vault", "bao.vault.svc", "bao.vault.svc.cluster.local", "a.b", "many",
        "bao.vault.svc.cluster.local.", "missing"}},
      {"a pod's list that ends in the root",
       "search vault.svc.cluster.local svc.cluster.local cluster.local .\n"
       "nameserver 127.0.0.77\noptions ndots:5\n",
       {"bao", "a.b", "bao.corp.test", "missing"}},
      {"the root first", "search . corp.test\nnameserver 127.0.0.77\n", {"bao", "six", "a.b"}},
      {"one domain",
       "search corp.test\nnameserver 127.0.0.77\n",
       {"bao", "six", "alias", "a.b", "x.only", "only.absolute.test", "many", "bao.", "six."}},
      {"domains with final and leading dots",
       "search corp.test. .second.test\nnameserver 127.0.0.77\n",
       {"bao", "six"}},
      {"no dots needed",
       "search corp.test\nnameserver 127.0.0.77\noptions ndots:0\n",
       {"bao", "six", "a.b"}},
      {"many dots needed",
       "search corp.test\nnameserver 127.0.0.77\noptions ndots:99\n",
       {"bao", "a.b", "x.only", "only.absolute.test"}},
      {"domain", "domain corp.test\nnameserver 127.0.0.77\n", {"bao", "six", "a.b"}},
      {"the last of search and domain counts",
       "domain corp.test\nsearch second.test\nnameserver 127.0.0.77\n",
       {"bao", "six"}},
      {"the last of domain and search counts",
       "search second.test\ndomain corp.test\nnameserver 127.0.0.77\n",
       {"bao", "six"}},
      {"a name without data is searched further",
       "search corp.test\nnameserver 127.0.0.77\n",
       {"nodata"}},
      {"a domain whose server fails", "search corp.test\nnameserver 127.0.0.77\n", {"broken"}},
      {"comments and blanks",
       "# a comment\n; another\n  \nnameserver\t127.0.0.77  "
       "\nsearch\tcorp.test\t\noptions\tndots:1 "
       "rotate single-request\n",
       {"bao", "six", "a.b"}},
      {"no final line end", "search corp.test\nnameserver 127.0.0.77", {"bao", "six"}},
      {"a server that refuses comes first",
       "nameserver 127.0.0.78\nnameserver 127.0.0.77\nsearch corp.test\n",
       {"bao", "a.b"}},
      {"a silent server comes first",
       "nameserver 127.0.0.79\nnameserver 127.0.0.77\noptions timeout:1 attempts:2\n",
       {"bao"}},
      {"rotated servers",
       "nameserver 127.0.0.77\nnameserver 127.0.0.77\noptions rotate\n",
       {"bao"}},
      {"a server that answers over TCP only",
       "nameserver 127.0.0.80\noptions use-vc\nsearch corp.test\n",
       {"bao", "six", "a.b", "both.", "many.", "missing"}},
      {"no server that answers",
       "nameserver 127.0.0.78\noptions timeout:1 attempts:1\n",
       {"bao", "localhost"},
       "127.0.0.1 localhost\n::1 localhost\n"},
      {"numeric forms",
       kServer,
       {"192.0.2.7", "2001:db8::7", "127.1", "0x7f000001", "0177.0.0.1", "1", "::ffff:192.0.2.1"}},
      {"a hosts file",
       "search corp.test\nnameserver 127.0.0.77\n",
       {"localhost", "hosted", "HOSTED", "other", "third", "bao", "six", "commented", "hosted.",
        "tabbed", "twice"},
       "127.0.0.1\tlocalhost\n::1 localhost ip6-localhost\n192.0.2.50 hosted other Third # "
       "commented\n"
       "#192.0.2.51 bao\n  192.0.2.52\ttabbed  \n192.0.2.53 twice\n192.0.2.54 twice\n"
       "2001:db8::53 twice\nnonsense six\n\n"},
      {"a hosts file with many addresses", kServer, {"many"}, ManyHosts(32)},
      {"a hosts file without a line end", kServer, {"hosted"}, "192.0.2.50 hosted"},
      {"DNS before the hosts file",
       kServer,
       {"hosted", "other"},
       "192.0.2.50 hosted\n192.0.2.51 other\n",
       "hosts: dns files\n"},
      {"the hosts file alone", kServer, {"hosted", "bao"}, "192.0.2.50 hosted\n", "hosts: files\n"},
      {"DNS alone",
       kServer,
       {"hosted", "other", "bao"},
       "192.0.2.50 hosted\n192.0.2.51 other\n",
       "hosts: dns\n"},
      {"a service that ends the lookup",
       kServer,
       {"hosted", "other", "bao"},
       "192.0.2.50 hosted\n192.0.2.51 other\n",
       "hosts: files [NOTFOUND=return] dns\n"},
      {"DNS that ends the lookup unless it is unavailable",
       kServer,
       {"other", "bao"},
       "192.0.2.51 other\n",
       "hosts: dns [!UNAVAIL=return] files\n"},
      {"DNS that is unavailable",
       "nameserver 127.0.0.78\noptions timeout:1 attempts:1\n",
       {"other"},
       "192.0.2.51 other\n",
       "hosts: dns [!UNAVAIL=return] files\n"},
      {"actions in lower case and without blanks",
       kServer,
       {"other", "bao"},
       "192.0.2.51 other\n",
       "hosts:files[notfound=continue]dns\n"},
      {"services that do not exist here",
       kServer,
       {"other", "bao", "missing"},
       "192.0.2.51 other\n",
       "passwd: files\nhosts:\t\tmymachines mdns4_minimal [NOTFOUND=return] files dns # end\n"},
      {"systemd-resolved, which does not run",
       kServer,
       {"other", "bao"},
       "192.0.2.51 other\n",
       "hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns\n"},
      {"no hosts line", kServer, {"bao"}, "127.0.0.1 localhost\n", "passwd: files\n"},
  };
  return rows;
}

void WriteText(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
}

class LikeLibcTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(::unshare(CLONE_NEWNS | CLONE_NEWNET), 0) << "needs root";
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq loopback{};
    std::snprintf(loopback.ifr_name, sizeof loopback.ifr_name, "lo");
    loopback.ifr_flags = IFF_UP | IFF_RUNNING;
    ASSERT_EQ(::ioctl(socket.get(), SIOCSIFFLAGS, &loopback), 0);
    for (const char* name : {"resolv.conf", "hosts", "nsswitch.conf"}) {
      const std::string file = Folder() + name;
      WriteText(file, "");
      ASSERT_EQ(
          ::mount(file.c_str(), (std::string("/etc/") + name).c_str(), nullptr, MS_BIND, nullptr),
          0)
          << name;
    }
  }

  static std::string Folder() {
    static const std::string folder = [] {
      std::string pattern = ::testing::TempDir() + "/like-libc-XXXXXX";
      EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
      return pattern + "/";
    }();
    return folder;
  }

  static void TearDownTestSuite() { std::filesystem::remove_all(Folder()); }

  static void Install(const Row& row) {
    WriteText(Folder() + "resolv.conf", row.resolv_conf);
    WriteText(Folder() + "hosts", row.hosts);
    WriteText(Folder() + "nsswitch.conf", row.nsswitch);
  }

  static Addresses Getent(const std::string& name) {
    Addresses found;
    FILE* output = ::popen(("getent ahosts '" + name + "'").c_str(), "re");
    std::array<char, 1024> line{};
    while (std::fgets(line.data(), line.size(), output) != nullptr) {
      const std::string text(line.data());
      found.insert(text.substr(0, text.find(' ')));
    }
    ::pclose(output);
    return found;
  }

  Addresses Resolve(const std::string& name) {
    std::optional<Addresses> found;
    resolver_->Resolve(
        name, 8200, std::chrono::seconds(10), [&](const std::vector<SocketAddress>& addresses) {
          found.emplace();
          for (const SocketAddress& address : addresses) {
            std::array<char, NI_MAXHOST> text{};
            EXPECT_EQ(
                ::getnameinfo(reinterpret_cast<const sockaddr*>(&address.storage), address.size,
                              text.data(), text.size(), nullptr, 0, NI_NUMERICHOST),
                0);
            found->insert(text.data());
          }
        });
    EXPECT_TRUE(RunUntil(*loop_, [&] { return found.has_value(); }));
    return found.value_or(Addresses());
  }

  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  std::unique_ptr<Resolver> resolver_ = Resolver::Create(*loop_).value();
};

TEST_F(LikeLibcTest, ResolvesWhatGetentResolves) {
  const NameServer server("127.0.0.77", Zone());
  const NameServer silent("127.0.0.79", {}, NameServer::Manner::kSilent);
  const NameServer over_tcp("127.0.0.80", Zone(), NameServer::Manner::kTcp);
  for (const Row& row : Rows()) {
    Install(row);
    for (const std::string& name : row.names) {
      EXPECT_EQ(Resolve(name), Getent(name)) << row.what << ": " << name;
    }
  }
}

TEST_F(LikeLibcTest, FindsTheBareNameBehindASearchListThatIsTheRoot) {
  const NameServer server("127.0.0.77", Zone());
  Install({.what = "", .resolv_conf = "nameserver 127.0.0.77\nsearch .\n", .names = {}});
  EXPECT_EQ(Resolve("bao"), Addresses{"192.0.2.1"});
}

// More than libc does: the answer for A is not lost when the server fails for AAAA.
TEST_F(LikeLibcTest, FailuresForOneFamilyDoNotHideTheOther) {
  const NameServer server("127.0.0.77", Zone());
  Install({.what = "", .resolv_conf = kServer, .names = {}});
  EXPECT_EQ(Resolve("half"), Addresses{"192.0.2.11"});
}

}  // namespace
}  // namespace baokms::supervisor
