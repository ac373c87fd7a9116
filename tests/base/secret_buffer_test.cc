#include "common/base/secret_buffer.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "tests/base/mapping_flags.h"

namespace baokms {
namespace {

constexpr std::array<std::uint8_t, 4> kBytes = {1, 2, 3, 4};

SecretBuffer Make(std::size_t size, std::uint8_t byte) {
  SecretBuffer buffer = SecretBuffer::Allocate(size).value();
  std::ranges::fill(buffer.RevealMutable(), byte);
  return buffer;
}

TEST(SecretBufferTest, TakesBytesAndWipesTheirSource) {
  std::array<std::uint8_t, 4> source = kBytes;
  const SecretBuffer buffer = SecretBuffer::TakeFrom(source).value();
  EXPECT_TRUE(std::ranges::equal(buffer.Reveal(), kBytes));
  EXPECT_EQ(source, (std::array<std::uint8_t, 4>{}));
}

TEST(SecretBufferTest, TakesATextAndWipesIt) {
  std::string source = "a token";
  const SecretBuffer buffer = SecretBuffer::TakeFrom(source).value();
  EXPECT_EQ(buffer.RevealText(), "a token");
  EXPECT_EQ(source, std::string(7, '\0'));
  EXPECT_EQ(SecretBuffer().RevealText(), "");
}

#ifndef BAOKMS_SANITIZED  // the sanitizer's run time makes mlock(2) do nothing
TEST(SecretBufferTest, IsLockedNotDumpedAndWipedOnFork) {
  const SecretBuffer buffer = Make(5000, 7);
  for (const std::uint8_t* at : {buffer.Reveal().data(), buffer.Reveal().data() + 4999}) {
    const std::string flags = FlagsOf(at);
    for (const char* flag : {" lo ", " dd ", " wf "}) {
      EXPECT_NE(flags.find(flag), std::string::npos) << flag << "in " << flags;
    }
  }
}
#endif

TEST(SecretBufferTest, IsEmptyInAForkedChild) {
  const SecretBuffer buffer = Make(16, 7);
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(std::ranges::count(buffer.Reveal(), 0) == 16 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(buffer.Reveal()[0], 7) << "the parent keeps its own";
}

TEST(SecretBufferTest, LeavesNoMappingOfALongSecretBehind) {
  const std::uint8_t* data = nullptr;
  {
    const SecretBuffer buffer = Make(5000, 7);
    data = buffer.Reveal().data();
  }
  EXPECT_EQ(FlagsOf(data).find(" wf "), std::string::npos);
}

TEST(SecretBufferTest, GivesAPageOnWithNothingInIt) {
  const std::uint8_t* data = nullptr;
  {
    const SecretBuffer first = Make(4096, 7);
    data = first.Reveal().data();
  }
  const SecretBuffer second = SecretBuffer::Allocate(4096).value();
  EXPECT_EQ(second.Reveal().data(), data);
  EXPECT_EQ(std::ranges::count(second.Reveal(), 0), 4096);
}

TEST(SecretBufferTest, KeepsFewPages) {
  constexpr std::size_t kMany = 64;
  std::vector<SecretBuffer> buffers;
  std::vector<const std::uint8_t*> pages;
  for (std::size_t i = 0; i < kMany; ++i) {
    buffers.push_back(Make(16, 7));
    pages.push_back(buffers.back().Reveal().data());
  }
  buffers.clear();
  const auto kept = std::ranges::count_if(pages, [](const std::uint8_t* page) {
    return FlagsOf(page).find(" wf ") != std::string::npos;
  });
  EXPECT_GT(kept, 0);
  EXPECT_LE(kept, 16);
}

#ifndef BAOKMS_SANITIZED  // the sanitizer's run time makes mlock(2) do nothing
// mlock(2): locks are not inherited.
TEST(SecretBufferTest, ForkedChildTakesNoPageThatItsParentKept) {
  { const SecretBuffer buffer = Make(16, 7); }
  const pid_t child = ::fork();
  if (child == 0) {
    const SecretBuffer buffer = SecretBuffer::Allocate(16).value();
    ::_exit(FlagsOf(buffer.Reveal().data()).find(" lo ") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}
#endif

TEST(SecretBufferTest, MoveLeavesNothingInTheSource) {
  SecretBuffer from = Make(16, 7);
  SecretBuffer to = std::move(from);
  EXPECT_EQ(from.size(), 0U);  // NOLINT(bugprone-use-after-move): what is left is the question
  EXPECT_TRUE(from.Reveal().empty());
  to = Make(8, 9);
  EXPECT_EQ(to.size(), 8U);
  EXPECT_EQ(to.Reveal()[7], 9);
}

TEST(SecretBufferTest, ComparesContents) {
  EXPECT_TRUE(Make(16, 7) == Make(16, 7));
  EXPECT_FALSE(Make(16, 7) == Make(15, 7));
  for (std::size_t i = 0; i < 16; ++i) {
    SecretBuffer other = Make(16, 7);
    other.RevealMutable()[i] ^= 1U;
    EXPECT_FALSE(Make(16, 7) == other) << i;
  }
}

TEST(SecretBufferTest, RefusesToHoldNothing) {
  EXPECT_EQ(SecretBuffer::Allocate(0).error().code(), ErrorCode::kInvalidArgument);
}

// A forked child: neither the limit nor the lost privilege is for the other tests.
#ifndef BAOKMS_SANITIZED  // the sanitizer's run time makes mlock(2) do nothing
TEST(SecretBufferTest, FailsClosedWhenMemoryCannotBeLocked) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_MEMLOCK, &none) != 0 ||
        (::geteuid() == 0 && ::setresuid(54321, 54321, 54321) != 0)) {
      ::_exit(2);
    }
    ::_exit(SecretBuffer::Allocate(16).has_value() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "1: allocated without a lock; 2: could not lose privileges";
}
#endif

}  // namespace
}  // namespace baokms
