#include "common/base/secret_pages.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <seccomp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/secret_buffer.h"
#include "common/base/unique_fd.h"
#include "tests/base/mapping_flags.h"

namespace baokms {
namespace {

constexpr std::size_t kReservedPages = kReservedSecretBytes / kSecretPage;

// A reservation lasts as long as its process, so each test has one of its own.
void InChild(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    (void)std::fflush(nullptr);
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "what the child expected is above";
}

SecretBuffer Make(std::size_t size) {
  SecretBuffer buffer = SecretBuffer::Allocate(size).value();
  std::ranges::fill(buffer.RevealMutable(), 7);
  return buffer;
}

// The errno of reading a byte through /proc/self/mem; 0 if it can be read.
int ErrnoOfProcMem(const std::uint8_t* at) {
  const UniqueFd memory(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
  std::uint8_t byte = 0;
  return ::pread(memory.get(), &byte, 1,
                 static_cast<off_t>(reinterpret_cast<std::uintptr_t>(at))) == 1
             ? 0
             : errno;
}

#ifdef BAOKMS_SANITIZED  // its run time makes mlock(2) do nothing
constexpr std::array kLockedFlags = {" dd ", " wf "};
#else
constexpr std::array kLockedFlags = {" lo ", " dd ", " wf "};
#endif

bool IsLocked(const SecretBuffer& buffer) {
  const std::string flags = FlagsOf(buffer.Reveal().data());
  return ErrnoOfProcMem(buffer.Reveal().data()) == 0 &&
         std::ranges::all_of(kLockedFlags, [&flags](const char* flag) {
           return flags.find(flag) != std::string::npos;
         });
}

class SecretPagesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const UniqueFd fd(static_cast<int>(::syscall(SYS_memfd_secret, O_CLOEXEC)));
    if (!fd.valid()) {
      GTEST_SKIP() << "this kernel has no memfd_secret(2): errno " << errno;
    }
  }
};

TEST_F(SecretPagesTest, ReservedOnesCannotBeReadFromOutside) {
  InChild([] {
    ReserveSecretPages();
    const SecretBuffer buffer = Make(5000);
    for (const std::uint8_t* at : {buffer.Reveal().data(), buffer.Reveal().data() + 4999}) {
      EXPECT_EQ(ErrnoOfProcMem(at), EIO);
      std::uint8_t byte = 0;
      const iovec local{&byte, 1};
      const iovec remote{const_cast<std::uint8_t*>(at), 1};
      EXPECT_EQ(::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0), -1);
      EXPECT_EQ(errno, EFAULT);
      for (const char* flag : {" lo ", " dd ", " dc "}) {
        EXPECT_NE(FlagsOf(at).find(flag), std::string::npos) << flag << "in " << FlagsOf(at);
      }
    }
  });
}

TEST_F(SecretPagesTest, ReservedOnesAreNotInAForkedChild) {
  InChild([] {
    ReserveSecretPages();
    const SecretBuffer buffer = Make(16);
    InChild([&buffer] { EXPECT_EQ(FlagsOf(buffer.Reveal().data()), ""); });
    EXPECT_EQ(buffer.Reveal()[0], 7);
  });
}

TEST_F(SecretPagesTest, ReservedOnesAreGivenOnWithNothingInThem) {
  InChild([] {
    ReserveSecretPages();
    const std::uint8_t* data = nullptr;
    {
      const SecretBuffer first = Make(3 * kSecretPage);
      data = first.Reveal().data();
    }
    const SecretBuffer second = SecretBuffer::Allocate(2 * kSecretPage).value();
    EXPECT_EQ(second.Reveal().data(), data);
    EXPECT_EQ(std::ranges::count(second.Reveal(), 0), 2 * kSecretPage);
    EXPECT_EQ(Make(1).Reveal().data(), data + 2 * kSecretPage);
  });
}

// No two owners of a page, and no secret that is refused.
TEST_F(SecretPagesTest, LockedOnesFollowWhenTheReservationIsUsedUp) {
  InChild([] {
    ReserveSecretPages();
    std::vector<SecretBuffer> all;
    std::vector<const std::uint8_t*> pages;
    for (std::size_t i = 0; i < kReservedPages + 8; ++i) {
      all.push_back(Make(kSecretPage));
      pages.push_back(all.back().Reveal().data());
      EXPECT_EQ(ErrnoOfProcMem(pages.back()), i < kReservedPages ? EIO : 0) << i;
    }
    EXPECT_TRUE(IsLocked(all.back()));
    std::ranges::sort(pages);
    EXPECT_EQ(std::ranges::adjacent_find(pages), pages.end());
    all.erase(all.begin() + 10, all.begin() + 12);
    EXPECT_EQ(ErrnoOfProcMem(Make(2 * kSecretPage).Reveal().data()), EIO) << "there is room again";
    EXPECT_TRUE(IsLocked(Make(3 * kSecretPage))) << "not for three pages in a row";
  });
}

TEST_F(SecretPagesTest, LockedOnesAreUsedWhenAFilterRefusesTheCall) {
  for (const int refusal : {ENOSYS, EPERM}) {
    InChild([refusal] {
      scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ALLOW);
      const auto action = SCMP_ACT_ERRNO(static_cast<std::uint32_t>(refusal));
      ASSERT_EQ(::seccomp_rule_add(filter, action, SCMP_SYS(memfd_secret), 0), 0);
      ASSERT_EQ(::seccomp_load(filter), 0);
      ::seccomp_release(filter);
      ReserveSecretPages();
      EXPECT_TRUE(IsLocked(Make(16)));
    });
  }
}

// The first is checked by the kernel for unprivileged users only; the second ends a process that
// exceeds it.
TEST_F(SecretPagesTest, LockedOnesAreUsedWhereALimitLeavesNoRoom) {
  for (const auto& [limit, room] : {std::pair(RLIMIT_MEMLOCK, kReservedSecretBytes - kSecretPage),
                                    std::pair(RLIMIT_FSIZE, std::size_t{0})}) {
    InChild([limit = limit, room = room] {
      const rlimit low{room, room};
      ASSERT_EQ(::setrlimit(limit, &low), 0);
      if (::geteuid() == 0) {
        ASSERT_EQ(::setresuid(54321, 54321, 54321), 0);
        ASSERT_EQ(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);  // or it cannot read its own smaps
      }
      ReserveSecretPages();
      const SecretBuffer buffer = Make(16);
      EXPECT_NE(FlagsOf(buffer.Reveal().data()).find(" wf "), std::string::npos);
    });
  }
}

}  // namespace
}  // namespace baokms
