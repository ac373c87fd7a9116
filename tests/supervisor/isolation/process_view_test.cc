#include "supervisor/isolation/process_view.h"

#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>

#include <gtest/gtest.h>

#include "common/base/secret_pages.h"
#include "common/base/unique_fd.h"
#include "supervisor/isolation/observation.h"

namespace baokms::supervisor {
namespace {

// How many more descriptors of this kind this process has once it has opened one.
std::size_t CountOf(const std::string& kind) {
  const auto view = ViewProcess(::getpid());
  return view && view->descriptors.contains(kind) ? view->descriptors.at(kind) : 0;
}

UniqueFd Socket(int domain, int type) {
  return UniqueFd(::socket(domain, type | SOCK_CLOEXEC, 0));
}

TEST(ProcessViewTest, ShowsThisProcess) {
  const auto view = ViewProcess(::getpid());
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->pid(), ::getpid());
  EXPECT_EQ(view->parent, ::getppid());
  EXPECT_EQ(view->uids, std::set<uid_t>{::geteuid()});
  EXPECT_EQ(view->gids, std::set<gid_t>{::getegid()});
  EXPECT_NE(view->program.path.find("isolation_test"), std::string::npos);
  EXPECT_NE(view->program.mode & 0700, 0U);
}

TEST(ProcessViewTest, ShowsHardLimits) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(ViewProcess(::getpid())->limits.at("Max open files"), std::to_string(limit.rlim_max));
}

TEST(ProcessViewTest, ShowsSecretMemory) {
  EXPECT_EQ(ViewProcess(::getpid())->secret_kib, 0U);
  const pid_t child = ::fork();
  if (child == 0) {
    ReserveSecretPages();
    const auto view = ViewProcess(::getpid());
    const bool reserved = view && view->secret_kib == kReservedSecretBytes / 1024;
    ::_exit(reserved && view->locked_kib >= view->secret_kib ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "needs memfd_secret(2)";
}

TEST(ProcessViewTest, TellsDescriptorsApart) {
  struct Row {
    const char* kind;
    UniqueFd fd;
  };

  UniqueFd listener = Socket(AF_INET, SOCK_STREAM);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  const std::size_t listeners = CountOf("tcp_listener");
  EXPECT_EQ(listeners, 1U);
  for (const auto& [kind, open] :
       {std::pair<const char*, UniqueFd (*)()>{"datagram",
                                               [] {
                                                 return Socket(AF_UNIX, SOCK_DGRAM);
                                               }},
        {"stream",
         [] {
           return Socket(AF_UNIX, SOCK_STREAM);
         }},
        {"seqpacket",
         [] {
           return Socket(AF_UNIX, SOCK_SEQPACKET);
         }},
        {"null",
         [] {
           return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
         }},
        {"file",
         [] {
           return UniqueFd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
         }},
        {"program",
         [] {
           return UniqueFd(::open("/bin/sh", O_PATH | O_CLOEXEC));
         }},
        {"directory",
         [] {
           return UniqueFd(::open("/", O_RDONLY | O_CLOEXEC));
         }},
        {"proc",
         [] {
           return UniqueFd(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
         }},
        {"memory", [] {
           return UniqueFd(::memfd_create("test", MFD_CLOEXEC));
         }}}) {
    const std::size_t before = CountOf(kind);
    const UniqueFd fd = open();
    ASSERT_TRUE(fd.valid()) << kind;
    EXPECT_EQ(CountOf(kind), before + 1) << kind;
  }
}

// The kernel lists such a socket from its first address on.
UniqueFd BoundNetlink() {
  UniqueFd fd = Socket(AF_NETLINK, SOCK_RAW);
  const sockaddr_nl address{.nl_family = AF_NETLINK, .nl_pad = 0, .nl_pid = 0, .nl_groups = 0};
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

TEST(ProcessViewTest, TellsWhatNoChildNeedsApart) {
  for (const auto& [kind, open] :
       {std::pair<const char*, UniqueFd (*)()>{"netlink", BoundNetlink},
        {"packet",
         [] {
           return UniqueFd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP)));
         }},
        {"raw",
         [] {
           return UniqueFd(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
         }},
        {"proc_other", [] {
           return UniqueFd(::open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
         }}}) {
    const std::size_t before = CountOf(kind);
    const UniqueFd fd = open();
    if (!fd.valid() && errno == EPERM) {
      continue;  // not as root
    }
    ASSERT_TRUE(fd.valid()) << kind;
    EXPECT_EQ(CountOf(kind), before + 1) << kind;
  }
}

TEST(ProcessViewTest, ShowsNothingOfAProcessThatHasEnded) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(ViewProcess(child).has_value());
}

TEST(ProcessViewTest, FollowsTheTreeToTheGrandchildren) {
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const pid_t grandchild = ::fork();
    if (grandchild > 0) {
      (void)!::write(ready[1], &grandchild, sizeof grandchild);
    }
    ::pause();
    ::_exit(0);
  }
  pid_t grandchild = 0;
  ASSERT_EQ(::read(ready[0], &grandchild, sizeof grandchild),
            static_cast<ssize_t>(sizeof grandchild));
  std::vector<pid_t> seen;
  for (const ProcessView& view : ViewTree(child)) {
    seen.push_back(view.pid());
  }
  EXPECT_EQ(seen, (std::vector<pid_t>{child, grandchild}));
  (void)::kill(grandchild, SIGKILL);
  (void)::kill(child, SIGKILL);
  (void)::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(ParseIsolationTest, ReadsWhatReadySays) {
  const auto isolation = ParseIsolation(
      R"({"level":"single-user","helpers":"readable","credential":"unreadable","processes":{"spawner":"confined",)"
      R"("worker_0":"unconfined"},"inherited_filters":2,"details":{"spawner":{"pid":7,)"
      R"("filters":3,"filter":"spawner","landlock_abi":0,"refused":"getppid"},"worker_0":{}}})");
  ASSERT_TRUE(isolation.has_value());
  EXPECT_EQ(isolation->level, "single-user");
  EXPECT_FALSE(isolation->credential_readable);
  EXPECT_EQ(isolation->inherited_filters, 2U);
  EXPECT_EQ(isolation->names, (std::map<pid_t, std::string>{{7, "spawner"}}));
  EXPECT_TRUE(isolation->processes.at("spawner").confined);
  EXPECT_EQ(isolation->processes.at("spawner").refused, "getppid");
  EXPECT_FALSE(isolation->processes.at("worker_0").confined);
}

TEST(ParseIsolationTest, RefusesAnythingElse) {
  for (const char* text :
       {"", "{", "[]", "{}", R"({"level":1,"processes":{},"details":{}})",
        R"({"level":"x","credential":"readable","processes":{},"details":{"a":{"pid":"b"}}})",
        R"({"level":"x","credential":"readable","processes":[],"details":{"a":{}}})",
        R"({"level":"x","credential":"readable","details":7,"processes":{}})",
        R"({"level":"x","processes":{},"details":{}})"}) {
    EXPECT_FALSE(ParseIsolation(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace baokms::supervisor
