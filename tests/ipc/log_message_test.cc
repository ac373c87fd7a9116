#include "ipc/log_message.h"

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/log.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {
namespace {

baokms::LogRecord Record(LogLevel level, const std::string& event) {
  return {level, event, {}};
}

TEST(LogMessageTest, WritesEveryKindOfValueAsText) {
  baokms::LogRecord record = Record(LogLevel::kWarn, "auth.login");
  record.fields = {{"status", std::string("jwt_expired")},
                   {"count", std::int64_t{-42}},
                   {"duration_ms", 1.5},
                   {"late", true},
                   {"early", false}};
  const LogRecord message = ToMessage(record);
  EXPECT_EQ(message.level(), LogRecord::LEVEL_WARN);
  EXPECT_EQ(message.event(), "auth.login");
  const std::vector<std::string> texts = {"jwt_expired", "-42", "1.5", "true", "false"};
  ASSERT_EQ(static_cast<std::size_t>(message.fields_size()), texts.size());
  for (int i = 0; i < message.fields_size(); ++i) {
    EXPECT_EQ(message.fields(i).text(), texts[static_cast<std::size_t>(i)]);
  }
  EXPECT_EQ(message.fields(0).key(), "status");
}

TEST(LogMessageTest, LargestRecordStillFitsItsMessage) {
  baokms::LogRecord record = Record(LogLevel::kError, std::string(5000, 'e'));
  for (int i = 0; i < 100; ++i) {
    record.fields.emplace_back(std::string(5000, 'k'), std::string(5000, 't'));
  }
  const LogRecord message = ToMessage(record);
  EXPECT_EQ(static_cast<std::size_t>(message.fields_size()), kMaxLogFields);
  EXPECT_EQ(message.fields(0).text().size(), kMaxLogText);
  EXPECT_LE(message.ByteSizeLong(), kMaxLogBody);
}

TEST(LogMessageTest, LetsNoControlCharacterOrBrokenUtf8Through) {
  baokms::LogRecord record = Record(LogLevel::kInfo, "a\nb");
  record.fields = {{"key\x1b", std::string("x\r\n\xff\xc3\xa4\x7f") + '\0' + "y"}};
  const LogRecord message = ToMessage(record);
  EXPECT_EQ(message.event(), "a?b");
  EXPECT_EQ(message.fields(0).key(), "key?");
  EXPECT_EQ(message.fields(0).text(), "x???????y");
}

TEST(LogMessageTest, SendsFromItsLowestLevelOn) {
  std::vector<LogRecord> sent;
  UpwardLog log(LogLevel::kWarn, [&sent](const LogRecord& record) { sent.push_back(record); });
  EXPECT_FALSE(log.Enabled(LogLevel::kInfo));
  EXPECT_TRUE(log.Enabled(LogLevel::kWarn));
  log.Write(Record(LogLevel::kDebug, "a"));
  log.Write(Record(LogLevel::kInfo, "b"));
  log.Write(Record(LogLevel::kWarn, "c"));
  log.Write(Record(LogLevel::kError, "d"));
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].level(), LogRecord::LEVEL_WARN);
  EXPECT_EQ(sent[1].level(), LogRecord::LEVEL_ERROR);
}

}  // namespace
}  // namespace baokms::ipc
