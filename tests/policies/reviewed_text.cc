#include "tests/policies/reviewed_text.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <stdexcept>

#include <gtest/gtest.h>

#include "tests/base/test_data.h"
#include "tests/policies/documented_filter.h"

namespace baokms {
namespace {

// What a filter does with each call, and with all others: lines of libseccomp's text, without what
// depends on the numbers of the calls.
using Blocks = std::map<std::string, std::string>;

std::size_t IndentOf(const std::string& line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

// Above it are the numbers that libseccomp gives to calls that an architecture does not have.
constexpr unsigned long kLastNumber = 0x7fffffff;

// Takes the lines apart. A block has the indent of the comment in front of it; what is less deep is
// the tree by which the kernel finds the call.
Blocks BlocksOf(const std::string& text) {
  static const std::regex call("# filter for syscall \"(\\w+)\" \\((\\d+)\\).*");
  static const std::regex number("if \\(\\$syscall == \\d+\\)");
  Blocks blocks;
  std::string* block = nullptr;
  std::size_t indent = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::string rest = line.substr(IndentOf(line));
    std::smatch match;
    if (std::regex_match(rest, match, call)) {
      block = std::stoul(match[2]) > kLastNumber ? nullptr : &blocks[match[1]];
      indent = IndentOf(line);
    } else if (rest == "# default action" || rest == "# invalid architecture action") {
      block = &blocks[rest];
      indent = IndentOf(line);
    } else if (IndentOf(line) < indent || rest.rfind('#', 0) == 0) {
      block = nullptr;
    } else if (block != nullptr && !std::regex_match(rest, number)) {
      *block += line.substr(indent) + "\n";
    }
  }
  return blocks;
}

std::string Marked(char mark, const std::string& name, const std::string& block) {
  std::string text = std::string(1, mark) + " " + name + "\n";
  std::istringstream lines(block);
  for (std::string line; std::getline(lines, line);) {
    text.append(1, mark).append("   ").append(line).append("\n");
  }
  return text;
}

// By the names of the calls.
Blocks Difference(const std::string& before, const std::string& after) {
  const Blocks old_blocks = BlocksOf(before);
  const Blocks new_blocks = BlocksOf(after);
  Blocks difference;
  for (const auto& [name, block] : old_blocks) {
    const auto same = new_blocks.find(name);
    if (same == new_blocks.end() || same->second != block) {
      difference[name] = Marked('-', name, block);
    }
  }
  for (const auto& [name, block] : new_blocks) {
    const auto same = old_blocks.find(name);
    if (same == old_blocks.end() || same->second != block) {
      difference[name] += Marked('+', name, block);
    }
  }
  return difference;
}

std::string Joined(const Blocks& difference) {
  std::string text;
  for (const auto& [name, lines] : difference) {
    text += lines;
  }
  return text;
}

// Where a difference is another one on arm64.
std::string Except(const Blocks& difference, Blocks arm64) {
  for (const auto& [name, lines] : difference) {
    std::string& other = arm64[name];
    other = other == lines ? "" : other.empty() ? "  " + name + " as before\n" : other;
  }
  return Joined(arm64);
}

// Throws std::logic_error when the policy cannot be built.
std::string TextOn(const std::string& architecture, const NamedPolicy& policy) {
  const Result<std::string> text = TextOf(policy.build, TestedArchitectures().at(architecture));
  if (!text) {
    throw std::logic_error(policy.name + ": " + text.error().ToString());
  }
  return *text;
}

void ExpectReviewed(const std::string& file, const std::string& text) {
  const std::string path = TestDataPath("policies/reviewed/" + file);
  if (std::getenv("BAOKMS_REGENERATE") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::ostringstream golden;
  golden << std::ifstream(path).rdbuf();
  EXPECT_EQ(text, golden.str())
      << "The filter changed. If that is meant, run this test with BAOKMS_REGENERATE=1, read the "
         "diff, and say why in docs/security.md in the same commit.";
}

}  // namespace

void ExpectReviewedText(const NamedPolicy& policy) {
  const std::string text = TextOn("x86_64", policy);
  const std::string arm64 = TextOn("arm64", policy);
  if (policy.beyond.empty()) {
    ExpectReviewed(policy.name + ".x86_64.pfc.golden", text);
    ExpectReviewed(policy.name + ".golden", "on arm64:\n" + Joined(Difference(text, arm64)));
    return;
  }
  const NamedPolicy& simpler = PolicyNamed(policy.beyond);
  const Blocks difference = Difference(TextOn("x86_64", simpler), text);
  ExpectReviewed(policy.name + ".golden",
                 "beyond " + policy.beyond + ":\n" + Joined(difference) + "on arm64, beyond " +
                     policy.beyond + ":\n" +
                     Except(difference, Difference(TextOn("arm64", simpler), arm64)));
}

}  // namespace baokms
