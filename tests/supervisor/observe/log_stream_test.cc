#include "supervisor/observe/log_stream.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"
#include "supervisor/observe/child_records.h"
#include "supervisor/observe/record_rate.h"
#include "supervisor/observe/record_text.h"

namespace baokms::supervisor {
namespace {

constexpr RecordSource kWriter{.process = "supervisor", .pid = 42};
constexpr RecordTime kTime{std::chrono::microseconds(1'769'903'999'000'001)};

LogRecord Record() {
  return {LogLevel::kInfo,
          "kms.request",
          {{"operation", "kms.encrypt"},
           {"duration_ms", 1.23456},
           {"transit_key_version", std::int64_t{3}},
           {"panic_recovered", false}}};
}

TEST(RecordTextTest, WritesCompactJsonInOrder) {
  EXPECT_EQ(RecordToJson(Record(), kWriter, kTime),
            R"({"ts":"2026-01-31T23:59:59.000001Z","level":"INFO","message":"kms.request",)"
            R"("process":"supervisor","pid":42,"operation":"kms.encrypt","duration_ms":1.235,)"
            R"("transit_key_version":3,"panic_recovered":false})");
}

TEST(RecordTextTest, WritesTextThatReadsLikeLogfmt) {
  LogRecord record = Record();
  record.fields.emplace_back("reason", "two words");
  record.fields.emplace_back("empty", "");
  EXPECT_EQ(RecordToText(record, kWriter, kTime),
            "ts=2026-01-31T23:59:59.000001Z level=INFO message=kms.request process=supervisor "
            "pid=42 operation=kms.encrypt duration_ms=1.235 transit_key_version=3 "
            "panic_recovered=false reason=\"two words\" empty=\"\"");
}

TEST(RecordTextTest, NeverBreaksOutOfALineOrAString) {
  LogRecord record{LogLevel::kError, "e", {{"a", "x\n\"y\"\\\x01\xff{}"}, {"b=\n", "=\n"}}};
  EXPECT_EQ(RecordToJson(record, kWriter, kTime),
            R"({"ts":"2026-01-31T23:59:59.000001Z","level":"ERROR","message":"e",)"
            R"("process":"supervisor","pid":42,"a":"x\n\"y\"\\\u0001)"
            "\xEF\xBF\xBD{}\",\"b=\\n\":\"=\\n\"}");
  const std::string text = RecordToText(record, kWriter, kTime);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_NE(text.find(R"(a="x\n\"y\"\\\u0001)"), std::string::npos);
}

TEST(RecordTextTest, SpellsLevelsInUpperCase) {
  EXPECT_EQ(LevelWord(LogLevel::kDebug), "DEBUG");
  EXPECT_EQ(LevelWord(LogLevel::kInfo), "INFO");
  EXPECT_EQ(LevelWord(LogLevel::kWarn), "WARN");
  EXPECT_EQ(LevelWord(LogLevel::kError), "ERROR");
}

ipc::LogRecord Message(const std::vector<std::pair<std::string, std::string>>& fields,
                       const std::string& event = "auth.login",
                       ipc::LogRecord::Level level = ipc::LogRecord::LEVEL_INFO) {
  ipc::LogRecord message;
  message.set_level(level);
  message.set_event(event);
  for (const auto& [key, text] : fields) {
    ipc::LogField& field = *message.add_fields();
    field.set_key(key);
    field.set_text(text);
  }
  return message;
}

TEST(ChildRecordTest, CannotReplaceTheMembersOfTheStream) {
  const auto record = ReadChildRecord(Message({{"ts", "1"},
                                               {"level", "ERROR"},
                                               {"message", "serve.ready"},
                                               {"process", "supervisor"},
                                               {"pid", "1"},
                                               {"status", "ok"}}));
  ASSERT_TRUE(record.has_value());
  ASSERT_EQ(record->fields.size(), 1U);
  EXPECT_EQ(record->fields[0].first, "status");
}

TEST(ChildRecordTest, IsRefusedUnlessChildrenLogSuchAnEvent) {
  for (const std::string& event :
       {std::string(), std::string("two words"), std::string("auth.login\n"), std::string("Upper"),
        std::string("auth"), std::string("auth.logins"), std::string("key.promoted"),
        std::string("process.breach"), std::string("log.dropped"), std::string("serve.ready")}) {
    EXPECT_FALSE(ReadChildRecord(Message({}, event)).has_value()) << event;
  }
  ipc::LogRecord message = Message({});
  message.set_level(static_cast<ipc::LogRecord::Level>(9));
  EXPECT_FALSE(ReadChildRecord(message).has_value());
}

TEST(ChildRecordTest, HasOnlyFieldsThatChildrenWriteAndEachOnce) {
  const auto record = ReadChildRecord(Message({{"event", "key.promoted"},
                                               {"child", "worker_1"},
                                               {"bad key", "x"},
                                               {"k0", "v"},
                                               {"reason", std::string(5000, 'y')},
                                               {"status", "a\x01\xff\n\"b"},
                                               {"status", "ok"}}));
  ASSERT_TRUE(record.has_value());
  ASSERT_EQ(record->fields.size(), 2U);
  EXPECT_EQ(record->fields[0].first, "reason");
  EXPECT_EQ(std::get<std::string>(record->fields[0].second).size(), ipc::kMaxLogText);
  EXPECT_EQ(record->fields[1].first, "status");
  EXPECT_EQ(std::get<std::string>(record->fields[1].second), "a???\"b");
}

TEST(ChildRecordTest, NumbersOfKnownFieldsAreNumbersAgain) {
  const auto record = ReadChildRecord(
      Message({{"slot", "x3"}, {"slot", "3"}, {"ends_in_s", "-1"}, {"status", "12"}}));
  ASSERT_TRUE(record.has_value());
  ASSERT_EQ(record->fields.size(), 3U);
  EXPECT_EQ(std::get<std::int64_t>(record->fields[0].second), 3);
  EXPECT_EQ(std::get<std::int64_t>(record->fields[1].second), -1);
  EXPECT_EQ(std::get<std::string>(record->fields[2].second), "12");
}

TEST(RecordRateTest, PassesABurstAndThenItsRate) {
  using Form = RecordRate::Form;
  RecordRate rate(kChildRecords);
  const BootTime start = std::chrono::seconds(100);
  int passed = 0;
  for (int i = 0; i < 1000; ++i) {
    passed += rate.Count("worker_0", Form::kGood, start).pass ? 1 : 0;
  }
  EXPECT_EQ(passed, static_cast<int>(kChildRecords.burst));
  EXPECT_TRUE(rate.Count("worker_1", Form::kGood, start).pass) << "each process has its own";
  passed = 0;
  for (int i = 0; i < 1000; ++i) {
    passed += rate.Count("worker_0", Form::kGood, start + std::chrono::seconds(1)).pass ? 1 : 0;
  }
  EXPECT_EQ(passed, static_cast<int>(kChildRecords.per_second));
}

TEST(RecordRateTest, TellsEveryDropOnceAndAtMostOnceASecond) {
  using Form = RecordRate::Form;
  RecordRate rate(kChildRecords);
  const BootTime start = std::chrono::seconds(100);
  std::uint64_t told = 0;
  int tellings = 0;
  const auto count = [&](BootTime now) {
    const RecordRate::Decision decision = rate.Count("worker_0", Form::kGood, now);
    told += decision.tell_dropped;
    tellings += decision.tell_dropped > 0 ? 1 : 0;
  };
  for (int i = 0; i < 1400; ++i) {
    count(start);
  }
  EXPECT_EQ(tellings, 1);
  count(start + std::chrono::seconds(60));
  EXPECT_EQ(told, 1000U);
  EXPECT_EQ(tellings, 2);
}

TEST(RecordRateTest, MalformedRecordsNeverPassAndAreTold) {
  RecordRate rate(kChildRecords);
  const RecordRate::Decision decision =
      rate.Count("worker_0", RecordRate::Form::kMalformed, std::chrono::seconds(100));
  EXPECT_FALSE(decision.pass);
  EXPECT_EQ(decision.tell_dropped, 1U);
}

// ---- The stream, on the real descriptor 2.

class LogStreamTest : public ::testing::Test {
 protected:
  static std::unique_ptr<LogStream> Make(LogFormat format = LogFormat::kJson,
                                         LogLevel level = LogLevel::kInfo) {
    return std::make_unique<LogStream>(format, level);
  }
};

TEST_F(LogStreamTest, WritesOneLineForEachRecord) {
  ::testing::internal::CaptureStderr();
  const auto stream = Make();
  stream->Write(Record());
  stream->WriteChild("worker_1", 4711, Message({{"status", "ok"}}));
  const std::string out = ::testing::internal::GetCapturedStderr();
  const std::string ts = R"(\{"ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",)";
  EXPECT_TRUE(std::regex_match(
      out,
      std::regex(ts + R"("level":"INFO","message":"kms.request","process":"supervisor","pid":)" +
                 std::to_string(::getpid()) + R"(,"operation".*\}\n)" + ts +
                 R"("level":"INFO","message":"auth.login","process":"worker_1","pid":4711,)" +
                 R"("status":"ok"\}\n)")))
      << out;
}

TEST_F(LogStreamTest, ChangesItsLevelWhileItRuns) {
  ::testing::internal::CaptureStderr();
  const auto stream = Make(LogFormat::kText, LogLevel::kWarn);
  EXPECT_FALSE(stream->Enabled(LogLevel::kInfo));
  stream->Write(Record());
  stream->WriteChild("worker_0", 1, Message({}));
  stream->SetLevel(LogLevel::kDebug);
  EXPECT_TRUE(stream->Enabled(LogLevel::kDebug));
  stream->Write({LogLevel::kDebug, "now.shown", {}});
  const std::string out = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(out.find("kms.request"), std::string::npos);
  EXPECT_EQ(out.find("auth.login"), std::string::npos);
  EXPECT_NE(out.find("level=DEBUG message=now.shown"), std::string::npos);
}

TEST_F(LogStreamTest, WritesCorrelationIdsOnlyUntilIncidentModeEnds) {
  ::testing::internal::CaptureStderr();
  const auto stream = Make(LogFormat::kText);
  LogRecord record{LogLevel::kInfo, "kms.request", {{"status", "ok"}}};
  record.correlation.emplace_back("request_uid_hash", "h");
  stream->Write(record);
  EXPECT_FALSE(stream->Correlates());
  stream->Correlate({"INC-7", std::chrono::minutes(15), BootNow(), kTime});
  EXPECT_TRUE(stream->Correlates());
  stream->Write(record);
  stream->Write({LogLevel::kInfo, "other", {}});
  stream->Correlate({"INC-8", std::chrono::minutes(15), BootNow() - std::chrono::minutes(15), {}});
  EXPECT_FALSE(stream->Correlates());
  stream->Write(record);
  const std::string marks =
      " debug_correlation_incident=INC-7 debug_correlation_expires_at=2026-02-01T00:14:59.000001Z";
  std::string out = ::testing::internal::GetCapturedStderr();
  out = std::regex_replace(out, std::regex("ts=\\S+ level=(\\w+) message=(\\S+) \\S+ pid=\\d+"),
                           "$1 $2");
  EXPECT_EQ(out, "INFO kms.request status=ok\nWARN debug_correlation.active" + marks +
                     "\nINFO kms.request status=ok request_uid_hash=h" + marks +
                     "\nINFO other\nWARN debug_correlation.active debug_correlation_incident=INC-8 "
                     "debug_correlation_expires_at=1970-01-01T00:15:00.000000Z\n"
                     "INFO kms.request status=ok\n");
}

TEST_F(LogStreamTest, AFloodOfAChildIsCutAndTold) {
  ::testing::internal::CaptureStderr();
  const auto stream = Make();
  for (int i = 0; i < 10'000; ++i) {
    stream->WriteChild("worker_0", 1, Message({}));
  }
  const std::string out = ::testing::internal::GetCapturedStderr();
  const auto lines = std::count(out.begin(), out.end(), '\n');
  EXPECT_GE(lines, static_cast<long>(kChildRecords.burst));
  EXPECT_LT(lines, 5000);
  EXPECT_NE(out.find(R"("message":"log.dropped","process":"worker_0","pid":1,"count":)"),
            std::string::npos);
  const auto dropped = stream->Dropped();
  EXPECT_EQ(dropped.at("supervisor"), 0U);
  EXPECT_GT(dropped.at("worker_0"), 5000U);
  EXPECT_EQ(dropped.size(), 2U);
}

// A client of the KMS socket decides how many calls fail.
TEST_F(LogStreamTest, AFloodOfFailedCallsIsCutAndTold) {
  const auto failed = [](const std::string& error_class) {
    return LogRecord{LogLevel::kWarn, "kms.request", {{"error_class", error_class}}};
  };
  ::testing::internal::CaptureStderr();
  const auto stream = Make();
  const BootTime start = BootNow();
  for (int i = 0; i < 10'000; ++i) {
    stream->Write(failed("key_id_malformed"));
    stream->Write({LogLevel::kWarn, "kms.decrypt_unconfirmed", {}});
  }
  stream->Write(failed("key_id_unknown"));
  const std::chrono::duration<double> elapsed = BootNow() - start;
  const std::string out = ::testing::internal::GetCapturedStderr();
  const auto lines = std::count(out.begin(), out.end(), '\n');
  EXPECT_GE(lines, 2 * kCallRecords.burst);
  EXPECT_LE(lines,
            2 * (kCallRecords.burst + elapsed.count() * (kCallRecords.per_second + 1) + 1) + 1);
  for (const std::string records : {"kms.request key_id_malformed", "kms.decrypt_unconfirmed"}) {
    EXPECT_TRUE(std::regex_search(
        out, std::regex(R"("message":"log.dropped","process":"supervisor",.*"count":\d+,)"
                        R"("reason":"over_rate","records":")" +
                        records + "\"")))
        << out;
  }
  EXPECT_NE(out.find("key_id_unknown"), std::string::npos) << "another class has its own rate";
  EXPECT_GE(stream->Dropped().at("supervisor"), 20'000U - static_cast<std::uint64_t>(lines));
}

TEST_F(LogStreamTest, WhatNobodyElseCausesHasNoRate) {
  ::testing::internal::CaptureStderr();
  const auto stream = Make(LogFormat::kJson, LogLevel::kDebug);
  for (int i = 0; i < 500; ++i) {
    stream->Write({LogLevel::kDebug, "kms.request", {}});
    stream->Write({LogLevel::kWarn, "status.probe", {{"error_class", "timeout"}}});
  }
  const std::string out = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1000);
  EXPECT_EQ(stream->Dropped().at("supervisor"), 0U);
}

TEST_F(LogStreamTest, LinesOfManyThreadsDoNotMix) {
  ::testing::internal::CaptureStderr();
  const auto stream = Make(LogFormat::kText);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&stream] {
      for (int n = 0; n < 500; ++n) {
        stream->Write({LogLevel::kInfo, "line", {{"text", std::string(200, 'x')}}});
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::string out = ::testing::internal::GetCapturedStderr();
  const std::regex line("ts=[^ ]+ level=INFO message=line process=supervisor pid=\\d+ text=x{200}");
  std::istringstream lines(out);
  std::string each;
  int count = 0;
  while (std::getline(lines, each)) {
    ASSERT_TRUE(std::regex_match(each, line)) << each;
    ++count;
  }
  EXPECT_EQ(count, 2000);
}

}  // namespace
}  // namespace baokms::supervisor
