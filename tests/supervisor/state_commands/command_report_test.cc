#include "supervisor/state_commands/command_report.h"

#include <cstdint>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace baokms::supervisor {
namespace {

CommandReport Sample() {
  CommandReport sheet("a-command");
  sheet.Add("applied", false);
  sheet.Add("hash", std::string("krs1.x"));
  sheet.Add("generation", std::uint64_t{18446744073709551615U});
  sheet.AddRows("removedVersions", "remove",
                {{{"transitVersion", std::int64_t{1}}, {"keyIdHash", std::string("H")}},
                 {{"transitVersion", std::int64_t{2}}, {"keyIdHash", std::string("I")}}});
  sheet.AddNumbers("needed", {2, 3});
  return sheet;
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
  CommandReport sheet("a-command");
  sheet.Add("zebra", true);
  sheet.AddRows("rows", "row", {{{"n", std::int64_t{1}}}});
  sheet.AddNumbers("apes", {});
  EXPECT_EQ(sheet.ToJson(), R"({
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
  CommandReport sheet("a-command");
  sheet.AddUnlessEmpty("text", std::string());
  sheet.AddUnlessEmpty("number", std::int64_t{0});
  sheet.AddUnlessEmpty("count", std::uint64_t{0});
  sheet.AddUnlessEmpty("flag", false);
  EXPECT_EQ(sheet.ToText(), "a-command\n");
  sheet.AddUnlessEmpty("flag", true);
  EXPECT_EQ(sheet.ToText(), "a-command\nflag: true\n");
}

TEST(CommandReportTest, ReplacesBytesThatAreNotUtf8) {
  CommandReport sheet("a-command");
  sheet.Add("text", std::string("\xff"));
  EXPECT_TRUE(nlohmann::json::accept(sheet.ToJson()));
}

}  // namespace
}  // namespace baokms::supervisor
