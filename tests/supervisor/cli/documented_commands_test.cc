// Every command line of this program that a document shows must be one that the program accepts.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "supervisor/cli/command_line.h"
#include "tests/base/test_data.h"

namespace baokms::supervisor {
namespace {

namespace fs = std::filesystem;

struct ShownCommand {
  std::string page;
  std::string text;
};

std::vector<fs::path> Pages() {
  const fs::path root = fs::canonical(TestDataPath(".."));
  std::vector<fs::path> pages = {root / "README.md"};
  for (const auto& entry : fs::recursive_directory_iterator(root / "docs")) {
    if (entry.path().extension() == ".md") {
      pages.push_back(entry.path());
    }
  }
  return pages;
}

// A command ends where the shell, or the Markdown around it, says so.
std::vector<ShownCommand> CommandsOf(const fs::path& page) {
  std::ifstream file(page);
  const std::string written{std::istreambuf_iterator<char>(file), {}};
  const std::string text = std::regex_replace(written, std::regex(R"(\\\n)"), " ");
  const std::regex pattern(R"((?:^|[\s`$/])bao-kms-provider +([^\n`|;#&<>(]+))");
  std::vector<ShownCommand> shown;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    shown.push_back({page.filename(), (*match)[1]});
  }
  return shown;
}

std::vector<std::string> SplitWords(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

// In prose the name of the program is followed by words that are no command.
bool IsProse(const ShownCommand& shown) {
  const std::vector<std::string> words = SplitWords(shown.text);
  const std::vector<std::string> name = {words.front()};
  return !words.front().starts_with("-") && !std::holds_alternative<std::string>(HelpText(name));
}

TEST(DocumentedCommandsTest, AreAcceptedByTheProgram) {
  std::size_t checked = 0;
  for (const fs::path& page : Pages()) {
    for (const ShownCommand& shown : CommandsOf(page)) {
      SCOPED_TRACE(shown.page + ": bao-kms-provider " + shown.text);
      const auto parsed = ParseCommandLine(SplitWords(shown.text));
      const auto* error = std::get_if<UsageError>(&parsed);
      if (error != nullptr && IsProse(shown)) {
        continue;
      }
      EXPECT_EQ(error, nullptr) << error->message;
      ++checked;
    }
  }
  EXPECT_GT(checked, 20U);
}

}  // namespace
}  // namespace baokms::supervisor
