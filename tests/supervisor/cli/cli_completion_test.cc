// Completion: what the hidden command answers, and the scripts in the shells themselves.

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/complete.h"
#include "tests/supervisor/cli/cli_run.h"

namespace baokms::supervisor {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

// The candidates, without their help.
Words Candidates(Words words) {
  words.insert(words.begin(), std::string(kCompleteCommand));
  const CliOutcome outcome = Invoke(words);
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  Words names;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    names.push_back(line.substr(0, line.find('\t')));
  }
  return names;
}

TEST(CompletionTest, OffersWhatMayStandAtTheCursor) {
  struct Row {
    Words words;
    Words candidates;
  };

  const Words globals = {"--config", "--log-level", "--metrics-address", "--health-address"};
  const Row rows[] = {
      {{"se"}, {"serve"}},
      {{"re"}, {"retire-versions", "restore-versions", "recover-state"}},
      {{"config", ""}, {"schema", "reference"}},
      {{"config", "s"}, {"schema"}},
      {{"--config", "/x", "policy", ""}, {"openbao"}},
      {{"--config=/x", "policy", "o"}, {"openbao"}},
      {{"policy", "openbao", "--inc"}, {"--include-token-renewal"}},
      {{"probe", "--exp"}, {"--expected-key-id"}},
      {{"is"}, {"isolation"}},
      {{"isolation", "--w"}, {"--watch"}},
      {{"serve", ""}, {}},
      {{"serve", "-"}, {"--check", globals[0], globals[1], globals[2], globals[3], "--help"}},
      {{"--v"}, {"--version"}},
      {{"serve", "--v"}, {}},
      {{"version", "--output", ""}, {"text", "json"}},
      {{"version", "--output", "j"}, {"json"}},
      {{"version", "--output=t"}, {"--output=text"}},
      {{"version", "--output", "=", "j"}, {"json"}},  // as bash splits it
      {{"version", "--output", "="}, {"text", "json"}},
      {{"version", "--output", "json", ""}, {}},
      {{"--config", ""}, {":files"}},
      {{"probe", "--socket", "/run/o"}, {":files"}},
      {{"probe", "--timeout", ""}, {}},
      {{"pin-latch", "--clear", "--o"}, {"--output"}},  // a switch has no value
      {{"help", "pol"}, {"policy"}},
      {{"help", "policy", ""}, {"openbao"}},
      {{"help", "-"}, {}},
      {{"completion", ""}, {"bash", "fish", "powershell", "zsh"}},
      {{"__c"}, {}},
      {{"nonsense", "=", "--", "--=", "x"}, {}},
      {{}, {}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(testing::PrintToString(row.words));
    EXPECT_EQ(Candidates(row.words), row.candidates);
  }
}

TEST(CompletionTest, KnowsEveryCommandAndFlagOfTheTable) {
  for (const Command* command : kCommands) {
    EXPECT_THAT(Candidates({""}), testing::Contains(std::string(command->name)));
    if (command == &kHelpCommand) {
      continue;
    }
    for (const Flag& flag : command->flags) {
      EXPECT_THAT(Candidates({std::string(command->name), "-"}),
                  testing::Contains(std::string(flag.name)));
    }
  }
  EXPECT_THAT(Invoke({}).out, Not(HasSubstr("__complete")));
}

// Shells with a script, a program of the right name that answers for ours, and a place for both.
class ShellTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<char, 32> name{"/tmp/baokms-comp-XXXXXX"};
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name.data();
    fs::create_symlink(BAOKMS_PROGRAM, root_ + "/bao-kms-provider");
    for (const char* shell : {"bash", "fish", "zsh"}) {
      std::ofstream(root_ + "/script." + shell) << Invoke({"completion", shell}).out;
    }
    std::ofstream(root_ + "/file name") << "";
  }

  void TearDown() override { fs::remove_all(root_); }

  [[nodiscard]] static bool Has(const std::string& shell) {
    return std::system(("command -v " + shell + " >/dev/null").c_str()) == 0;
  }

  // What `script` prints in a shell whose folder is root_.
  [[nodiscard]] std::string RunIn(const std::string& shell, const std::string& script) const {
    std::ofstream(root_ + "/run") << script;
    const std::string command = "cd " + root_ + " && PATH=" + root_ + ":$PATH HOME=" + root_ + " " +
                                shell + " " + root_ + "/run 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) {
      return "popen failed";
    }
    std::string output;
    std::array<char, 4096> buffer{};
    while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) {
      output += buffer.data();
    }
    ::pclose(pipe);
    return output;
  }

  [[nodiscard]] std::string Bash(const std::string& words, int cursor) const {
    return RunIn("bash", "source script.bash; COMP_WORDS=(" + words +
                             "); COMP_CWORD=" + std::to_string(cursor) +
                             "; _bao_kms_provider; printf '%s\\n' \"${COMPREPLY[@]}\"");
  }

  [[nodiscard]] std::string Fish(const std::string& line) const {
    return RunIn("fish", "source script.fish; complete -C '" + line + "'");
  }

  // zsh completes only for a person: its own answer is replaced by printing the candidates.
  [[nodiscard]] std::string Zsh(const std::string& words, int cursor) const {
    return RunIn("zsh",
                 "compdef() { }\n_files() { print files }\n"
                 "_describe() { print -l -- ${(P)2} }\nsource ./script.zsh\nwords=(" +
                     words + "); CURRENT=" + std::to_string(cursor) + "; _bao_kms_provider");
  }

  std::string root_;
};

TEST_F(ShellTest, BashOffersWhatTheProgramAnswers) {
  EXPECT_EQ(Bash("bao-kms-provider se", 1), "serve\n");
  EXPECT_EQ(Bash("bao-kms-provider config s", 2), "schema\n");
  EXPECT_EQ(Bash("bao-kms-provider --config /x policy o", 4), "openbao\n");
  EXPECT_EQ(Bash("bao-kms-provider version --output \"\"", 3), "text\njson\n");
  EXPECT_EQ(Bash("bao-kms-provider version --output = j", 4), "json\n");
  EXPECT_EQ(Bash("bao-kms-provider --config file", 2), "file name\n");
  EXPECT_EQ(Bash("bao-kms-provider nonsense x", 2), "\n");
}

TEST_F(ShellTest, FishOffersWhatTheProgramAnswers) {
  if (!Has("fish")) {
    GTEST_SKIP() << "fish is not installed";
  }
  EXPECT_EQ(Fish("bao-kms-provider config s"),
            "schema\tPrint the JSON Schema of the configuration file\n");
  EXPECT_EQ(Fish("bao-kms-provider version --output "), "json\ntext\n");
  EXPECT_EQ(Fish("bao-kms-provider --config=/x policy "),
            "openbao\tPrint the least-privilege OpenBao policy for the provider\'s token\n");
  EXPECT_THAT(Fish("bao-kms-provider --config fil"), HasSubstr("file"));
}

TEST_F(ShellTest, ZshOffersWhatTheProgramAnswers) {
  if (!Has("zsh")) {
    GTEST_SKIP() << "zsh is not installed";
  }
  EXPECT_EQ(Zsh("bao-kms-provider config s", 3),
            "schema:Print the JSON Schema of the configuration file\n");
  EXPECT_EQ(Zsh("bao-kms-provider version --output ''", 4), "text\njson\n");
  EXPECT_EQ(Zsh("bao-kms-provider --config fil", 3), "files\n");
}

}  // namespace
}  // namespace baokms::supervisor
