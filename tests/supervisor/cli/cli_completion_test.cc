#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "supervisor/cli/command_line.h"
#include "supervisor/cli/command_tree.h"
#include "supervisor/cli/completion.h"
#include "tests/supervisor/cli/cli_run.h"

namespace baokms::supervisor {
namespace {

using testing::HasSubstr;

TEST(CompletionTest, NamesEveryCommandAndFlagInEveryShell) {
  const CommandNode root = DescribeCommands();
  for (const char* shell : {"bash", "fish", "powershell", "zsh"}) {
    const CliOutcome outcome = Invoke({"completion", shell});
    EXPECT_EQ(outcome.code, 0);
    for (const CommandPath& command : Flatten(root)) {
      EXPECT_THAT(outcome.out, HasSubstr(command.node->name)) << shell;
      for (const FlagNode& flag : command.node->flags) {
        EXPECT_THAT(outcome.out, HasSubstr(flag.name.substr(2))) << shell;
      }
    }
  }
}

TEST(CompletionTest, KnowsTheTree) {
  const CommandNode root = DescribeCommands();
  std::vector<std::string> paths;
  for (const CommandPath& command : Flatten(root)) {
    paths.push_back(command.path);
  }
  EXPECT_THAT(
      paths, testing::UnorderedElementsAre(
                 "", "serve", "config", "config schema", "config reference", "version", "policy",
                 "policy openbao", "probe", "pin-latch", "rotation-plan", "verify-rotation",
                 "retire-versions", "restore-versions", "recover-state", "migrate-state",
                 "export-state", "import-state", "completion", "completion bash", "completion fish",
                 "completion powershell", "completion zsh", "help"));
}

// Runs bash with the script and shows what it offers for a line.
std::string Offer(const std::string& script_path, const std::string& words, int cursor) {
  const std::string command = "bash -c 'source " + script_path + "; COMP_WORDS=(" + words +
                              "); COMP_CWORD=" + std::to_string(cursor) +
                              "; _bao_kms_provider; echo \"${COMPREPLY[*]}\"' 2>&1";
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) {
    return "popen failed";
  }
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) {
    output += buffer.data();
  }
  ::pclose(pipe);
  return output;
}

TEST(CompletionTest, BashOffersWhatFits) {
  std::array<char, 32> name{"/tmp/baokms-comp-XXXXXX"};
  const int fd = ::mkstemp(name.data());
  ASSERT_GE(fd, 0);
  ::close(fd);
  std::ofstream(name.data()) << Invoke({"completion", "bash"}).out;
  EXPECT_EQ(Offer(name.data(), "bao-kms-provider se", 1), "serve\n");
  EXPECT_EQ(Offer(name.data(), "bao-kms-provider config s", 2), "schema\n");
  EXPECT_EQ(Offer(name.data(), "bao-kms-provider --config /x policy o", 4), "openbao\n");
  EXPECT_EQ(Offer(name.data(), "bao-kms-provider probe --exp", 2), "--expected-key-id\n");
  EXPECT_EQ(Offer(name.data(), "bao-kms-provider version --output \"\"", 3), "text json\n");
  EXPECT_EQ(Offer(name.data(), "bao-kms-provider --config /etc/host", 2),
            Offer(name.data(), "bao-kms-provider probe --socket /etc/host", 3));
  ::unlink(name.data());
}

}  // namespace
}  // namespace baokms::supervisor
