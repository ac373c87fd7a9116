#include "supervisor/state_commands/command_report.h"

#include <cstdint>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace baokms::supervisor {
namespace {

CommandReport Sample() {
  CommandReport report("a-command");
  report.Add("applied", false);
  report.Add("hash", std::string("krs1.x"));
  report.Add("generation", std::uint64_t{18446744073709551615U});
  report.AddRows("removedVersions", "remove",
                 {{{"transitVersion", std::int64_t{1}}, {"keyIdHash", std::string("H")}},
                  {{"transitVersion", std::int64_t{2}}, {"keyIdHash", std::string("I")}}});
  report.AddNumbers("needed", {2, 3});
  return report;
}

TEST(CommandReportTest, PrintsOneLinePerFactAndPerRow) {
  EXPECT_EQ(Sample().ToText(),
            "a-command\n"
            "applied: false\n"
            "hash: krs1.x\n"
            "generation: 18446744073709551615\n"
            "remove: transitVersion=1 keyIdHash=H\n"
            "remove: transitVersion=2 keyIdHash=I\n"
            "needed: 2,3\n");
}

TEST(CommandReportTest, PrintsOneIndentedObjectInTheGivenOrder) {
  CommandReport report("a-command");
  report.Add("zebra", true);
  report.AddRows("rows", "row", {{{"n", std::int64_t{1}}}});
  report.AddNumbers("apes", {});
  EXPECT_EQ(report.ToJson(), R"({
  "name": "a-command",
  "zebra": true,
  "rows": [
    {
      "n": 1
    }
  ],
  "apes": []
}
)");
}

TEST(CommandReportTest, KeepsTypesInJson) {
  const auto json = nlohmann::json::parse(Sample().ToJson());
  EXPECT_EQ(json["applied"], false);
  EXPECT_EQ(json["generation"], 18446744073709551615U);
  EXPECT_EQ(json["removedVersions"][1]["transitVersion"], 2);
  EXPECT_EQ(json["needed"], nlohmann::json({2, 3}));
}

TEST(CommandReportTest, LeavesEmptyValuesOutWhenAsked) {
  CommandReport report("a-command");
  report.AddUnlessEmpty("text", std::string());
  report.AddUnlessEmpty("number", std::int64_t{0});
  report.AddUnlessEmpty("count", std::uint64_t{0});
  report.AddUnlessEmpty("flag", false);
  EXPECT_EQ(report.ToText(), "a-command\n");
  report.AddUnlessEmpty("flag", true);
  EXPECT_EQ(report.ToText(), "a-command\nflag: true\n");
}

TEST(CommandReportTest, ReplacesBytesThatAreNotUtf8) {
  CommandReport report("a-command");
  report.Add("text", std::string("\xff"));
  EXPECT_TRUE(nlohmann::json::accept(report.ToJson()));
}

}  // namespace
}  // namespace baokms::supervisor
