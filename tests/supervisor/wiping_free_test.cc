#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace {

constexpr std::string_view kSecret = "a secret that must not stay";
constexpr std::size_t kSize = 500;

// What is in the block that malloc(3) hands out next: the one of this size that was freed last.
std::string Next(std::size_t size) {
  const std::unique_ptr<char, decltype(&std::free)> block(static_cast<char*>(std::malloc(size)),
                                                          std::free);
  return {block.get(), ::malloc_usable_size(block.get())};
}

char* Fill(char* block, std::size_t size) {
  for (std::size_t at = 0; at + kSecret.size() <= size; at += kSecret.size()) {
    std::memcpy(block + at, kSecret.data(), kSecret.size());
  }
  return block;
}

bool Found(const std::string& text) {
  return text.find(kSecret.substr(1)) != std::string::npos;
}

TEST(WipingFreeTest, WipesWhatIsFreed) {
  std::free(Fill(static_cast<char*>(std::malloc(kSize)), kSize));
  EXPECT_FALSE(Found(Next(kSize)));
  std::free(nullptr);
}

TEST(WipingFreeTest, WipesWhatTheCppLibraryDeletes) {
  std::string(kSize, 'x').replace(kSize / 2, kSecret.size(), kSecret);
  EXPECT_FALSE(Found(Next(kSize + 1)));
}

TEST(WipingFreeTest, WipesWhatTheCLibraryMoves) {
  std::string text(4000, 'x');
  text.insert(50, kSecret);
  const std::unique_ptr<FILE, decltype(&std::fclose)> file(
      ::fmemopen(text.data(), text.size(), "r"), std::fclose);
  std::size_t size = kSize;
  auto* line = static_cast<char*>(std::malloc(size));
  ASSERT_GT(::getline(&line, &size, file.get()), 4000);
  const std::unique_ptr<char, decltype(&std::free)> owner(line, std::free);
  EXPECT_FALSE(Found(Next(kSize)));
}

TEST(WipingFreeTest, ReallocationKeepsTheContentAndWipesTheOldPlace) {
  for (const std::size_t size : {2 * kSize, 20 * kSize, kSize / 4}) {
    auto* const block = static_cast<char*>(std::realloc(nullptr, kSize));
    ASSERT_NE(block, nullptr);
    auto* const moved = static_cast<char*>(std::realloc(Fill(block, kSize), size));
    ASSERT_NE(moved, nullptr);
    EXPECT_EQ(std::string_view(moved, kSecret.size()), kSecret);
    EXPECT_FALSE(Found(Next(kSize)));
    EXPECT_EQ(std::realloc(moved, 0), nullptr);
    EXPECT_FALSE(Found(Next(size)));
  }
}

TEST(WipingFreeTest, AFailedReallocationChangesNothing) {
  auto* const block = Fill(static_cast<char*>(std::malloc(kSize)), kSize);
  volatile std::size_t impossible = PTRDIFF_MAX;
  EXPECT_EQ(std::realloc(block, impossible), nullptr);
  EXPECT_EQ(std::string_view(block, kSecret.size()), kSecret);
  std::free(block);
}

}  // namespace
