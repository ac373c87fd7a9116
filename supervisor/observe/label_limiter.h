// Texts as label values: normalised, and from a vocabulary that cannot grow without end, since some
// of them come from children.

#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace baokms::supervisor {

// Lower case; what is not in [a-z0-9_] becomes '_'; empty becomes "unknown"; 64 characters at most.
[[nodiscard]] std::string NormaliseLabel(std::string_view text);

// Thread-safe.
class LabelLimiter final {
 public:
  // `limit` different words are let through; every further one becomes "other".
  explicit LabelLimiter(std::size_t limit) : limit_(limit) {}

  // The normalised word, or "other".
  [[nodiscard]] std::string Admit(std::string_view text);

 private:
  std::size_t limit_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> words_;  // guarded by mutex_
};

}  // namespace baokms::supervisor
