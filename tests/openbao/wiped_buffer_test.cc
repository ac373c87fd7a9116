#include "common/openbao/wiped_buffer.h"

#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "tests/base/freed_memory.h"

namespace baokms::openbao {
namespace {

TEST(WipedBufferTest, GrowsAndKeepsItsContent) {
  WipedBuffer buffer;
  std::string expected;
  for (int i = 0; i < 10000; ++i) {
    const char c = static_cast<char>('a' + i % 26);
    buffer.Append(c);
    expected += c;
  }
  EXPECT_EQ(buffer.text(), expected);
  const WipedBuffer moved = std::move(buffer);
  EXPECT_EQ(moved.text(), expected);
}

TEST(WipedBufferTest, ClearLeavesNothingInTheMemoryItKeeps) {
  WipedBuffer buffer;
  buffer.Append("secret");
  const char* const memory = buffer.data();
  buffer.Clear();
  EXPECT_EQ(buffer.size(), 0U);
  ASSERT_EQ(buffer.data(), memory);
  EXPECT_EQ(std::string_view(memory, 6), std::string_view("\0\0\0\0\0\0", 6));
}

TEST(WipedBufferTest, LeavesNothingInMemoryThatItFrees) {
  constexpr std::string_view kSecret = "a secret that must not stay";
  const FreedMemory freed(kSecret);
  {
    WipedBuffer buffer;
    for (int i = 0; i < 100; ++i) {  // grows several times
      buffer.Append(kSecret);
    }
    const WipedBuffer moved = std::move(buffer);
  }
  EXPECT_EQ(freed.found(), 0U);
}

TEST(WipedBufferTest, ClearReleasesLargeMemory) {
  WipedBuffer buffer;
  buffer.Append(std::string(1024UL * 1024, 'x'));
  buffer.Clear();
  EXPECT_EQ(buffer.data(), nullptr);
}

}  // namespace
}  // namespace baokms::openbao
