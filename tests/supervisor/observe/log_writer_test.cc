#include "supervisor/observe/log_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/unique_fd.h"

namespace baokms::supervisor {
namespace {

// A pipe in blocking mode, as stderr is.
struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    reader = UniqueFd(ends[0]);
    writer = UniqueFd(ends[1]);
  }

  // Reads until `enough` says so of all that was read.
  template <typename Enough>
  std::string ReadUntil(const Enough& enough) const {
    std::string all;
    std::array<char, 65536> bytes{};
    while (!enough(all)) {
      const ssize_t size = ::read(reader.get(), bytes.data(), bytes.size());
      if (size <= 0) {
        ADD_FAILURE() << "the pipe ended";
        break;
      }
      all.append(bytes.data(), static_cast<std::size_t>(size));
    }
    return all;
  }

  // Reads until `text` was there.
  std::string ReadUntil(const char* text) const {
    return ReadUntil(
        [text](const std::string& all) { return all.find(text) != std::string::npos; });
  }

  UniqueFd reader;
  UniqueFd writer;
};

std::string Notice(std::uint64_t count) {
  return "dropped " + std::to_string(count) + "\n";
}

// Adds up all notices in `text`: while the pipe has room, there is more than one.
std::uint64_t SumOfNotices(const std::string& text) {
  constexpr std::string_view kNotice = "dropped ";
  std::uint64_t sum = 0;
  for (auto at = text.find(kNotice); at != std::string::npos; at = text.find(kNotice, at + 1)) {
    sum += std::strtoull(text.c_str() + at + kNotice.size(), nullptr, 10);
  }
  return sum;
}

const std::string kLine = std::string(999, 'x') + "\n";

TEST(LogWriterTest, NeverWaitsForAReaderWhoIsAwayAndTellsItWhatItMissed) {
  const Pipe pipe;
  LogWriter writer(pipe.writer.get(), Notice);
  ASSERT_TRUE(writer.StartThread());
  constexpr std::uint64_t kLines = 3 * LogWriter::kMaxQueuedBytes / 1000;
  for (std::uint64_t i = 0; i < kLines; ++i) {
    writer.Put(kLine);
  }
  const std::uint64_t dropped = writer.dropped();
  EXPECT_GT(dropped, kLines / 2);
  EXPECT_LT(dropped, kLines);
  pipe.ReadUntil([dropped](const std::string& all) {
    return all.ends_with('\n') && SumOfNotices(all) == dropped;
  });
  writer.Flush(std::chrono::seconds(1));
  EXPECT_EQ(writer.dropped(), dropped);
}

TEST(LogWriterTest, WritesEverythingInOrderForAReaderWhoReads) {
  const Pipe pipe;
  {
    LogWriter writer(pipe.writer.get(), Notice);
    writer.Put("before the thread\n");
    ASSERT_TRUE(writer.StartThread());
    writer.Put("first\n");
    writer.Put(std::string(10'000, 'y') + "\n");
    writer.Put("last\n");
  }
  EXPECT_EQ(pipe.ReadUntil("last\n"),
            "before the thread\nfirst\n" + std::string(10'000, 'y') + "\nlast\n");
}

TEST(LogWriterTest, DoesNotWaitBeforeItHasAThread) {
  const Pipe pipe;
  LogWriter writer(pipe.writer.get(), Notice);
  for (int i = 0; i < 200; ++i) {
    writer.Put(kLine);
  }
  EXPECT_EQ(writer.dropped(), 0U) << "the rest is queued";
}

TEST(LogWriterTest, EndsAlthoughNobodyReads) {
  const Pipe pipe;
  const BootTime began = BootNow();
  {
    LogWriter writer(pipe.writer.get(), Notice);
    ASSERT_TRUE(writer.StartThread());
    for (int i = 0; i < 200; ++i) {
      writer.Put(kLine);
    }
  }
  EXPECT_LT(BootNow() - began, std::chrono::seconds(30)) << "it has no other way to be stuck";
}

TEST(LogWriterTest, CountsWhatTheDescriptorRefuses) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  LogWriter writer(full.get(), Notice);
  writer.Put("lost\n");
  writer.Put("lost\n");
  EXPECT_EQ(writer.dropped(), 2U);
}

// The open file description may be a terminal's, shared with a shell.
TEST(LogWriterTest, LeavesTheModeOfTheDescriptorAlone) {
  const Pipe pipe;
  const int before = ::fcntl(pipe.writer.get(), F_GETFL);
  LogWriter writer(pipe.writer.get(), Notice);
  ASSERT_TRUE(writer.StartThread());
  writer.Put("line\n");
  writer.Flush(std::chrono::seconds(30));
  EXPECT_EQ(::fcntl(pipe.writer.get(), F_GETFL), before);
}

}  // namespace
}  // namespace baokms::supervisor
