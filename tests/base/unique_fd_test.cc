#include "common/base/unique_fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include "tests/base/is_open.h"

namespace baokms {
namespace {

static_assert(!std::is_copy_constructible_v<UniqueFd>);
static_assert(!std::is_convertible_v<UniqueFd, bool>);

int OpenNull() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

TEST(UniqueFdTest, OwnsNothingByDefault) {
  const UniqueFd none;
  EXPECT_FALSE(none.valid());
  EXPECT_EQ(none.get(), -1);
}

TEST(UniqueFdTest, ClosesWhatItOwns) {
  const int fd = OpenNull();
  {
    const UniqueFd owner(fd);
    EXPECT_TRUE(owner.valid());
    EXPECT_TRUE(IsOpen(fd));
  }
  EXPECT_FALSE(IsOpen(fd));
}

TEST(UniqueFdTest, MoveHandsOverAndClosesTheOldOne) {
  const int kept = OpenNull();
  const int replaced = OpenNull();
  UniqueFd from(kept);
  UniqueFd to(replaced);
  to = std::move(from);
  EXPECT_EQ(to.get(), kept);
  EXPECT_TRUE(IsOpen(kept));
  EXPECT_FALSE(IsOpen(replaced));
}

TEST(UniqueFdTest, MoveToItselfKeepsTheDescriptor) {
  UniqueFd fd(OpenNull());
  UniqueFd& same = fd;
  fd = std::move(same);
  EXPECT_TRUE(IsOpen(fd.get()));
}

TEST(UniqueFdTest, ReleaseGivesUpOwnership) {
  const int fd = OpenNull();
  {
    UniqueFd owner(fd);
    EXPECT_EQ(owner.release(), fd);
    EXPECT_FALSE(owner.valid());
  }
  ASSERT_TRUE(IsOpen(fd));
  EXPECT_EQ(::close(fd), 0);
}

// Somebody closed our descriptor; the number may be another file's by now.
TEST(UniqueFdDeathTest, AbortsWhenItsDescriptorWasClosedElsewhere) {
  EXPECT_DEATH(
      {
        const UniqueFd owner(OpenNull());
        (void)::close(owner.get());
      },
      "");
}

}  // namespace
}  // namespace baokms
