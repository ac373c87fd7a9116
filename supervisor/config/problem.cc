#include "supervisor/config/problem.h"

namespace baokms::supervisor {
namespace {

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

}  // namespace baokms::supervisor
