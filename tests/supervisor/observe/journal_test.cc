#include "supervisor/observe/journal.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/log.h"
#include "common/base/unique_fd.h"
#include "supervisor/observe/log_stream.h"
#include "supervisor/observe/record_text.h"

namespace baokms::supervisor {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr RecordSource kSource{.process = "worker_0", .pid = 42};

TEST(JournalEntryTest, HoldsEveryFieldUnderItsPrefix) {
  const LogRecord record{LogLevel::kWarn,
                         "auth.renewal",
                         {{"status", "error"},
                          {"slot", std::int64_t{1}},
                          {"duration_ms", 1.5},
                          {"panic_recovered", true}}};
  EXPECT_EQ(JournalEntry(record, kSource, "the line"),
            "MESSAGE=the line\nPRIORITY=4\nSYSLOG_IDENTIFIER=bao-kms-provider\n"
            "BAOKMS_EVENT=auth.renewal\nBAOKMS_PROCESS=worker_0\nBAOKMS_PID=42\n"
            "BAOKMS_STATUS=error\nBAOKMS_SLOT=1\nBAOKMS_DURATION_MS=1.500000\n"
            "BAOKMS_PANIC_RECOVERED=true\n");
}

TEST(JournalEntryTest, ANewlineStartsNoFieldOfItsOwn) {
  const LogRecord record{LogLevel::kInfo, "e", {{"reason", "a\nPRIORITY=0"}, {"b=\n", "x"}}};
  const std::string entry = JournalEntry(record, kSource, "m");
  const std::string length("\x0c\0\0\0\0\0\0\0", 8);
  EXPECT_THAT(entry, EndsWith("BAOKMS_REASON\n" + length + "a\nPRIORITY=0\nBAOKMS_B__=x\n"));
}

TEST(JournalEntryTest, NamesAreNeverLongerThanTheJournalTakes) {
  const LogRecord record{LogLevel::kInfo, "e", {{std::string(100, 'k'), "v"}}};
  EXPECT_THAT(JournalEntry(record, kSource, "m"),
              EndsWith("BAOKMS_" + std::string(57, 'K') + "=v\n"));
}

TEST(JournalEntryTest, LevelsAreSyslogPriorities) {
  const auto entry = [](LogLevel level) {
    return JournalEntry({level, "e", {}}, kSource, "m");
  };
  EXPECT_THAT(entry(LogLevel::kDebug), HasSubstr("PRIORITY=7\n"));
  EXPECT_THAT(entry(LogLevel::kInfo), HasSubstr("PRIORITY=6\n"));
  EXPECT_THAT(entry(LogLevel::kError), HasSubstr("PRIORITY=3\n"));
}

// A socket that plays journald, and the text that says stderr leads there.
class JournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/journal_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    path_ = root_ / "socket";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    journald_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(::bind(journald_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    stream_ = StderrStream();
  }

  void TearDown() override { fs::remove_all(root_); }

  // As systemd writes $JOURNAL_STREAM.
  static std::string StderrStream() {
    struct stat info {};

    EXPECT_EQ(::fstat(STDERR_FILENO, &info), 0);
    return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
  }

  std::string Received() const {
    std::array<char, 4096> text{};
    const ssize_t size = ::recv(journald_.get(), text.data(), text.size(), 0);
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : "";
  }

  fs::path root_;
  std::string path_;
  std::string stream_;
  UniqueFd journald_;
};

TEST_F(JournalTest, TakesTheRecordsOfTheStream) {
  LogStream stream(LogFormat::kJson, LogLevel::kInfo, Journal::BehindStderr(stream_, path_));
  ::testing::internal::CaptureStderr();
  stream.Write({LogLevel::kInfo, "serve.ready", {{"status", "ok"}}});
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  const std::string entry = Received();
  EXPECT_THAT(entry, StartsWith(R"(MESSAGE={"ts":")"));
  EXPECT_THAT(entry, HasSubstr("\nBAOKMS_EVENT=serve.ready\nBAOKMS_PROCESS=supervisor\n"));
}

TEST_F(JournalTest, LosesNothingWhenJournaldIsGone) {
  LogStream stream(LogFormat::kText, LogLevel::kInfo, Journal::BehindStderr(stream_, path_));
  journald_.reset();
  ::testing::internal::CaptureStderr();
  stream.Write({LogLevel::kInfo, "serve.ready", {}});
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("message=serve.ready"));
}

TEST_F(JournalTest, IsNoneWhenStderrLeadsElsewhere) {
  const auto put = [this] {
    return Journal::BehindStderr(stream_, path_).Put({LogLevel::kInfo, "e", {}}, kSource, "m");
  };
  EXPECT_TRUE(put());
  for (const char* stream : {"", "1:2", "x"}) {
    stream_ = stream;
    EXPECT_FALSE(put()) << stream;
  }
  stream_ = StderrStream();
  fs::remove(path_);
  EXPECT_FALSE(put());
}

}  // namespace
}  // namespace baokms::supervisor
