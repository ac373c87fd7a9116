#include "supervisor/config/document.h"

#include <algorithm>
#include <utility>

namespace baokms::supervisor {
namespace {

// "a.b[1]" -> "a.b" -> "a" -> "".
std::string_view Parent(std::string_view key) {
  const std::size_t cut = key.find_last_of(".[");
  return cut == std::string_view::npos ? std::string_view() : key.substr(0, cut);
}

std::string KeyAndMessage(const Problem& problem) {
  return problem.key.empty() ? problem.message : problem.key + ": " + problem.message;
}

}  // namespace

std::string ToLine(const Problem& problem) {
  std::string line = problem.source;
  if (problem.where.line > 0) {
    line.append(":").append(std::to_string(problem.where.line));
    line.append(":").append(std::to_string(problem.where.column));
  }
  if (!line.empty()) {
    line.append(": ");
  }
  return line.append(KeyAndMessage(problem));
}

std::string DescribeProblems(std::span<const Problem> problems) {
  std::string text = "config invalid";
  for (const Problem& problem : problems) {
    text.append("; ").append(KeyAndMessage(problem));
  }
  for (const Problem& problem : problems) {
    if (!problem.source.empty()) {
      text.append("\n").append(ToLine(problem));
    }
  }
  return text;
}

Problem ConfigDocument::ProblemAt(std::string_view key, std::string message) const {
  KeyOrigin origin{path, {}};
  for (std::string_view at = key; !at.empty(); at = Parent(at)) {
    if (const auto found = origins.find(at); found != origins.end()) {
      origin = found->second;
      break;
    }
  }
  return {std::move(origin.source), origin.where, std::string(key), std::move(message)};
}

bool IsFaulty(std::span<const Problem> problems, std::string_view key) {
  return std::any_of(problems.begin(), problems.end(), [&](const Problem& problem) {
    const std::string_view bad = problem.key;
    const auto begins_with = [](std::string_view longer, std::string_view shorter) {
      return longer.starts_with(shorter) &&
             (longer.size() == shorter.size() || longer[shorter.size()] == '.' ||
              longer[shorter.size()] == '[');
    };
    return bad.empty() || begins_with(key, bad) ||
           (begins_with(bad, key) && bad.size() > key.size() && bad[key.size()] == '[');
  });
}

}  // namespace baokms::supervisor
