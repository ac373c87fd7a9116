#include "common/openbao/wiped_buffer.h"

#include <algorithm>
#include <string>
#include <utility>

#include <gtest/gtest.h>

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
  buffer.Clear();
  EXPECT_EQ(buffer.size(), 0U);
  const auto kept = buffer.Extend(6);  // the same memory again
  EXPECT_TRUE(std::all_of(kept.begin(), kept.end(), [](std::uint8_t byte) { return byte == 0; }));
}

}  // namespace
}  // namespace baokms::openbao
