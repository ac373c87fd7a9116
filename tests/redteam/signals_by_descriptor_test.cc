// A process that may not call kill(2) tries to signal another process of the same user by other
// calls, and to have the kernel do so when something happens to a descriptor.

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <seccomp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <initializer_list>

#include <gtest/gtest.h>

#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "tests/redteam/roles.h"

namespace baokms {
namespace {

// An owner that gets no signal: what a test without the filter arms would hit the test itself.
constexpr pid_t kNobody = 0;

// Another process of the same user, as the second worker is for the first.
class Victim final {
 public:
  Victim() : pid_(::fork()) {
    if (pid_ == 0) {
      for (;;) {
        ::pause();
      }
    }
    EXPECT_GT(pid_, 0);
  }

  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  ~Victim() {
    if (pid_ > 0) {
      (void)::kill(pid_, SIGKILL);
      (void)::waitpid(pid_, nullptr, 0);
    }
  }

  [[nodiscard]] pid_t pid() const { return pid_; }

  // Returns the signal that ended it, and waits for this end.
  int WaitForEnd() {
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    return WTERMSIG(status);
  }

  [[nodiscard]] bool IsAlive() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }

 private:
  pid_t pid_;
};

// The process id of a process that is gone.
pid_t FreePid() {
  Victim ended;
  const pid_t pid = ended.pid();
  EXPECT_EQ(::kill(pid, SIGKILL), 0);
  EXPECT_EQ(ended.WaitForEnd(), SIGKILL);
  return pid;
}

class SignalsByDescriptorTest : public RedTeamTest {
 protected:
  // Has `victim` killed when the first end of the pair becomes readable, and makes it so.
  [[nodiscard]] int KillByDescriptor(pid_t victim) const {
    const int descriptor = pair_.first.get();
    for (const auto& arm : std::initializer_list<std::function<int()>>{
             [&] { return ::fcntl(descriptor, F_SETOWN, victim); },
             [&] { return ::fcntl(descriptor, F_SETSIG, SIGKILL); },
             [&] { return ::fcntl(descriptor, F_SETFL, O_ASYNC | O_NONBLOCK); },
             [&] {
               return static_cast<int>(::write(pair_.second.get(), "x", 1));
             }}) {
      if (arm() < 0) {
        return errno;
      }
    }
    return 0;
  }

  template <typename Argument>
  void ExpectFcntlRefused(int descriptor, int command, Argument argument) {
    SCOPED_TRACE(command);
    ExpectRefused([&] { return ErrnoOf(::fcntl(descriptor, command, argument)); }, SCMP_SYS(fcntl));
  }

  template <typename Argument>
  void ExpectIoctlRefused(unsigned long request, Argument argument) {
    SCOPED_TRACE(request);
    ExpectRefused([&] { return ErrnoOf(::ioctl(pair_.first.get(), request, &argument)); },
                  SCMP_SYS(ioctl));
  }

  ipc::ChannelPair pair_ = ipc::MakeChannelPair().value();
};

TEST_P(SignalsByDescriptorTest, KillNobody) {
  Victim outside;
  EXPECT_EQ(Describe(RunFree([&] { return KillByDescriptor(outside.pid()); })), "did it");
  EXPECT_EQ(outside.WaitForEnd(), SIGKILL) << "outside the filter, the attack has to work";
  const Victim victim;
  ExpectRefusedCall(RunConfined(GetParam().enter, [&] { return KillByDescriptor(victim.pid()); }),
                    SCMP_SYS(fcntl));
  EXPECT_TRUE(victim.IsAlive());
}

TEST_P(SignalsByDescriptorTest, AbortNobodyElse) {
  const auto abort_process = [](const Victim& other) {
    return ErrnoOf(::tgkill(other.pid(), other.pid(), SIGABRT));
  };
  Victim outside;
  EXPECT_EQ(Describe(RunFree([&] { return abort_process(outside); })), "did it");
  EXPECT_EQ(outside.WaitForEnd(), SIGABRT) << "outside the filter, the attack has to work";
  const Victim victim;
  ExpectRefusedCall(RunConfined(GetParam().enter, [&] { return abort_process(victim); }),
                    SCMP_SYS(tgkill));
  EXPECT_TRUE(victim.IsAlive());
}

TEST_P(SignalsByDescriptorTest, TellNobodyWhichProcessesExist) {
  const pid_t nobody = FreePid();
  const auto ask = [&](pid_t pid) {
    return [this, pid] {
      return ErrnoOf(::fcntl(pair_.first.get(), F_SETOWN, pid));
    };
  };
  EXPECT_EQ(RunFree(ask(::getpid())).error, 0) << "outside the filter, the kernel tells";
  EXPECT_EQ(RunFree(ask(nobody)).error, ESRCH);
  for (const pid_t pid : {::getpid(), nobody}) {
    ExpectRefusedCall(RunConfined(GetParam().enter, ask(pid)), SCMP_SYS(fcntl));
  }
}

TEST_P(SignalsByDescriptorTest, AreNotArmedByAnyCommandOfFcntl) {
  const int socket = pair_.first.get();
  const f_owner_ex owner{F_OWNER_PID, kNobody};
  ExpectFcntlRefused(socket, F_SETOWN, kNobody);
  ExpectFcntlRefused(socket, F_SETOWN_EX, &owner);
  ExpectFcntlRefused(socket, F_SETSIG, SIGKILL);
  ExpectFcntlRefused(socket, F_SETFL, O_ASYNC);
  const UniqueFd directory(::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ExpectFcntlRefused(directory.get(), F_NOTIFY, DN_CREATE);
}

TEST_P(SignalsByDescriptorTest, AreNotArmedByALease) {
  std::array<char, 32> name{"/tmp/redteam_XXXXXX"};
  const UniqueFd file(::mkostemp(name.data(), O_CLOEXEC));
  ASSERT_EQ(::unlink(name.data()), 0);
  ExpectFcntlRefused(file.get(), F_SETLEASE, F_WRLCK);
}

TEST_P(SignalsByDescriptorTest, AreNotArmedByIoctl) {
  ExpectIoctlRefused(FIOASYNC, 1);
  ExpectIoctlRefused(FIOSETOWN, kNobody);
  ExpectIoctlRefused(SIOCSPGRP, kNobody);
}

INSTANTIATE_TEST_SUITE_P(InEachRole,
                         SignalsByDescriptorTest,
                         testing::ValuesIn(AllRoles()),
                         NameOfRole);

}  // namespace
}  // namespace baokms
