#include "supervisor/observe/label_limiter.h"

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

namespace baokms::supervisor {
namespace {

constexpr std::size_t kMaxWord = 64;

char NormaliseCharacter(char c) {
  if (c >= 'A' && c <= 'Z') {
    return static_cast<char>(c - 'A' + 'a');
  }
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
}

}  // namespace

std::string NormaliseLabel(std::string_view text) {
  std::string word;
  for (const char c : text.substr(0, kMaxWord)) {
    word.push_back(NormaliseCharacter(c));
  }
  return word.empty() ? "unknown" : word;
}

std::string LabelLimiter::Admit(std::string_view text) {
  std::string word = NormaliseLabel(text);
  const std::lock_guard lock(mutex_);
  if (known_.contains(word)) {
    return word;
  }
  if (known_.size() == limit_) {
    return "other";
  }
  known_.insert(word);
  return word;
}

}  // namespace baokms::supervisor
