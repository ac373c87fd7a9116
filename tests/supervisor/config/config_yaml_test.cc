#include <chrono>
#include <limits>
#include <string>
#include <variant>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "supervisor/config/number_text.h"
#include "supervisor/config/text_rules.h"
#include "supervisor/config/yaml_tree.h"

namespace baokms::supervisor {
namespace {

using std::chrono::nanoseconds;
using testing::HasSubstr;

YamlNode Tree(std::string_view text) {
  auto parsed = ParseYaml(text);
  if (const auto* problem = std::get_if<YamlProblem>(&parsed)) {
    ADD_FAILURE() << problem->message;
    return {};
  }
  return std::get<YamlNode>(std::move(parsed));
}

YamlProblem ProblemIn(std::string_view text) {
  auto parsed = ParseYaml(text);
  if (std::holds_alternative<YamlNode>(parsed)) {
    ADD_FAILURE() << "was accepted";
    return {};
  }
  return std::get<YamlProblem>(std::move(parsed));
}

TEST(PlainTypeTest, ResolvesAsGoDoes) {
  struct Row {
    std::string_view text;
    PlainType type;
  };

  constexpr Row kRows[] = {
      {"", PlainType::kNull},
      {"~", PlainType::kNull},
      {"null", PlainType::kNull},
      {"NULL", PlainType::kNull},
      {"nULL", PlainType::kString},
      {"true", PlainType::kBool},
      {"False", PlainType::kBool},
      {"tRue", PlainType::kString},
      {"yes", PlainType::kString},
      {"on", PlainType::kString},
      {"n", PlainType::kString},
      {"0", PlainType::kInt},
      {"-12", PlainType::kInt},
      {"+12", PlainType::kInt},
      {"0660", PlainType::kInt},
      {"0o660", PlainType::kInt},
      {"0x1F", PlainType::kInt},
      {"0b101", PlainType::kInt},
      {"1_000", PlainType::kInt},
      {"99999999999999999999", PlainType::kInt},
      {"0899", PlainType::kFloat},
      {"1.25", PlainType::kFloat},
      {"1.", PlainType::kFloat},
      {".5", PlainType::kFloat},
      {"1e3", PlainType::kFloat},
      {"-1.5E-3", PlainType::kFloat},
      {".inf", PlainType::kFloat},
      {"-.INF", PlainType::kFloat},
      {".NaN", PlainType::kFloat},
      {".", PlainType::kString},
      {"1e", PlainType::kString},
      {"1.2.3", PlainType::kString},
      {"0x", PlainType::kString},
      {"30s", PlainType::kString},
      {"2024-01-02", PlainType::kTimestamp},
      {"2024-1-2", PlainType::kTimestamp},
      {"2024-01-02T03:04:05Z", PlainType::kTimestamp},
      {"2024-13-02", PlainType::kString},
      {"2024-01-02x", PlainType::kString},
      {"+", PlainType::kString},
      {"-", PlainType::kString},
      {"127.0.0.1:8081", PlainType::kString},
      {"v1alpha1", PlainType::kString},
      {"=", PlainType::kString},
  };
  for (const Row& row : kRows) {
    EXPECT_EQ(ResolvePlain(row.text), row.type) << row.text;
  }
}

TEST(YamlTreeTest, KnowsWhereEachNodeIs) {
  const YamlNode tree = Tree("a:\n  b: [1,\n      'x']\n");
  ASSERT_EQ(tree.kind, YamlKind::kMap);
  EXPECT_EQ(tree.children[0].where, (Position{1, 1}));
  const YamlNode& inner = tree.children[1];
  EXPECT_EQ(inner.children[0].where, (Position{2, 3}));
  const YamlNode& list = inner.children[1];
  ASSERT_EQ(list.children.size(), 2U);
  EXPECT_EQ(list.children[0].kind, YamlKind::kPlain);
  EXPECT_EQ(list.children[1].kind, YamlKind::kQuoted);
  EXPECT_EQ(list.children[1].where, (Position{3, 7}));
}

TEST(YamlTreeTest, ExpandsAliasesAndMergeKeys) {
  const YamlNode tree = Tree("base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}\nlist: {<<: [*b]}\n");
  const YamlNode& use = tree.children[3];
  ASSERT_EQ(use.children.size(), 4U);
  EXPECT_EQ(use.children[0].text, "y");
  EXPECT_EQ(use.children[1].text, "3");
  EXPECT_EQ(use.children[2].text, "x");
  EXPECT_EQ(tree.children[5].children.size(), 4U);
}

TEST(YamlTreeTest, TakesAnExplicitStringTag) {
  EXPECT_EQ(Tree("a: !!str 5").children[1].kind, YamlKind::kQuoted);
}

TEST(YamlTreeTest, TreatsAnEmptyFileAsNull) {
  EXPECT_EQ(Tree("").kind, YamlKind::kNull);
  EXPECT_EQ(Tree("# nothing\n").kind, YamlKind::kNull);
}

TEST(YamlTreeTest, RefusesWhatIsNotOnePlainDocument) {
  struct Row {
    std::string text;
    std::string_view message;
    Position where;
  };

  const Row rows[] = {
      {"a: 1\n---\nb: 2\n", "only one YAML document", {2, 1}},
      {"a: !!int 5\n", "tags are not supported", {1, 4}},
      {"a: !x {}\n", "tags are not supported", {1, 4}},
      {"a: \"cut off\n", "not valid YAML", {}},
      {"a: [1, 2\n", "not valid YAML", {}},
      {"a: b: c\n", "not valid YAML", {1, 5}},
      {", a: b\n", "only one YAML document", {}},
      {"a: *nobody\n", "not valid YAML", {}},
      {"a: &a [*a]\n", "inside what it refers to", {1, 8}},
      {"a: {<<: 5}\n", "merge key needs", {1, 9}},
      {"a: {<<: [5]}\n", "merge key needs", {1, 10}},
      {"a: 1\nb: \xff\n", "not UTF-8", {2, 4}},
      {"a: 1\nb: \x01\n", "control characters", {2, 4}},
      {std::string("a: \0", 4), "control characters", {1, 4}},
      {"a: \x7f\n", "control characters", {1, 4}},
      {"a: @a\n", "must be quoted", {1, 4}},
      {"a: %a\n", "must be quoted", {1, 4}},
      {"a: `a\n", "must be quoted", {1, 4}},
      {"a: 1\rb: 2\r", "LF or CRLF", {1, 5}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    const YamlProblem problem = ProblemIn(row.text);
    EXPECT_THAT(problem.message, HasSubstr(std::string(row.message)));
    if (row.where.line != 0) {
      EXPECT_EQ(problem.where.line, row.where.line);
      EXPECT_EQ(problem.where.column, row.where.column);
    }
  }
}

TEST(YamlTreeTest, RefusesAnAliasBomb) {
  std::string bomb = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int level = 1; level < 12; ++level) {
    const std::string name = std::string("l").append(std::to_string(level));
    const std::string below = std::string("*l").append(std::to_string(level - 1));
    bomb.append(name).append(": &").append(name).append(" [");
    for (int i = 0; i < 10; ++i) {
      bomb.append(i == 0 ? "" : ", ").append(below);
    }
    bomb += "]\n";
  }
  EXPECT_THAT(ProblemIn(bomb).message, HasSubstr("too many values (aliases expanded)"));
}

TEST(YamlTreeTest, RefusesTooMuch) {
  std::string many = "a: [x";
  for (std::size_t i = 0; i < kMaxYamlNodes; ++i) {
    many += ",x";
  }
  EXPECT_THAT(ProblemIn(many + "]").message, HasSubstr("too many values"));
  EXPECT_THAT(
      ProblemIn(std::string(kMaxYamlDepth + 1, '[') + std::string(kMaxYamlDepth + 1, ']')).message,
      HasSubstr("nested too deeply"));
  EXPECT_THAT(ProblemIn(std::string(100'000, '[')).message, HasSubstr("nested too deeply"));
  EXPECT_THAT(ProblemIn(std::string(kMaxYamlBytes + 1, '#')).message, HasSubstr("1 MiB"));
  EXPECT_EQ(Tree(std::string(kMaxYamlBytes, '#')).kind, YamlKind::kNull);
}

TEST(DurationTest, ParsesGoForms) {
  struct Row {
    std::string_view text;
    std::int64_t nanos;
  };

  constexpr Row kRows[] = {
      {"0", 0},
      {"+0", 0},
      {"0s", 0},
      {"30s", 30'000'000'000},
      {"1h30m", 5'400'000'000'000},
      {"1.5s", 1'500'000'000},
      {".5s", 500'000'000},
      {"1.s", 1'000'000'000},
      {"-5m", -300'000'000'000},
      {"7ns", 7},
      {"3us", 3'000},
      {"3\xc2\xb5s", 3'000},
      {"3\xce\xbcs", 3'000},
      {"2ms", 2'000'000},
      {"0.9999999999999999999ns", 0},
      {"1.000000001s", 1'000'000'001},
      {"2562047h47m16.854775807s", std::numeric_limits<std::int64_t>::max()},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.text);
    const auto parsed = ParseDuration(row.text);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(*parsed, nanoseconds(row.nanos));
  }
}

TEST(DurationTest, RefusesEverythingElse) {
  for (const std::string_view text :
       {"", "120", "1.5", "s", ".s", "1 s", " 1s", "1s ", "1S", "1d", "1h30", "--1s", "+", "-",
        "1e3s", "2562047h47m16.854775808s", "9223372036854775808ns", "1s\n", "0x1s"}) {
    EXPECT_FALSE(ParseDuration(text).has_value()) << text;
  }
}

TEST(NumberTextTest, ParsesEveryBase) {
  EXPECT_EQ(ParseWholeNumber("0660"), 0660);
  EXPECT_EQ(ParseWholeNumber("0o17"), 15);
  EXPECT_EQ(ParseWholeNumber("-0x10"), -16);
  EXPECT_EQ(ParseWholeNumber("0b11"), 3);
  EXPECT_EQ(ParseWholeNumber("9223372036854775808"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(ParseWholeNumber("1_000"), 1000);
  EXPECT_EQ(ParseWholeNumber("0x-1"), std::nullopt);
  EXPECT_EQ(ParseWholeNumber("+-1"), std::nullopt);
  EXPECT_EQ(ParseWholeNumber("0x"), std::nullopt);
  EXPECT_EQ(ParseWholeNumber("1-"), std::nullopt);
  EXPECT_EQ(ParseDecimal("08", 10), 8U);
  EXPECT_EQ(ParseDecimal("-1", 10), std::nullopt);
  EXPECT_EQ(ParseDecimal("11", 10), std::nullopt);
  EXPECT_EQ(ParseOctal("0778", 0777), std::nullopt);
}

TEST(TextRulesTest, TrimsUnicodeSpace) {
  EXPECT_EQ(TrimSpace("\xc2\xa0 a b\xe2\x80\x83\n"), "a b");
  EXPECT_TRUE(IsBlank("\xe3\x80\x80"));
}

TEST(TextRulesTest, MakesForeignTextPrintable) {
  EXPECT_EQ(Printable("a\x1b[31m\xc3\xa9"), "a?[31m??");
  EXPECT_EQ(Printable(std::string(100, 'x')), std::string(64, 'x') + "...");
  EXPECT_EQ(Printable(std::string(100, 'x'), 512), std::string(100, 'x'));
}

}  // namespace
}  // namespace baokms::supervisor
