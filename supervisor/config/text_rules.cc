#include "supervisor/config/text_rules.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace baokms::supervisor {
namespace {

// Longer than every key and command; bounds the cost of a hostile name.
constexpr std::size_t kMaxName = 64;

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      row[j + 1] = std::min({above + 1, row[j] + 1, replaced});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

bool IsBlank(std::string_view text) {
  return TrimSpace(text).empty();
}

bool EqualsIgnoringAsciiCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

std::string Printable(std::string_view text, std::size_t limit) {
  const bool cut = text.size() > limit;
  std::string result(text.substr(0, limit));
  std::replace_if(
      result.begin(), result.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return cut ? result + "..." : result;
}

std::optional<std::string_view> ClosestName(std::string_view name,
                                            std::span<const std::string_view> candidates) {
  if (name.empty() || name.size() > kMaxName) {
    return std::nullopt;
  }
  std::optional<std::string_view> best;
  std::size_t best_distance = name.size() <= 4 ? 2 : 3;  // must be below this
  for (const std::string_view candidate : candidates) {
    if (EqualsIgnoringAsciiCase(name, candidate)) {
      return candidate;
    }
    const std::size_t distance = EditDistance(name, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace baokms::supervisor
