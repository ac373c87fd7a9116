// Turns texts into label values: normalised, and from a vocabulary of bounded size, because some of
// them come from children.

#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace baokms::supervisor {

// Converts to lower case, replaces every character outside [a-z0-9_] by '_', turns an empty text
// into "unknown" and truncates to 64 characters.
[[nodiscard]] std::string NormaliseLabel(std::string_view text);

// Thread-safe.
class LabelLimiter final {
 public:
  // Admits `limit` different texts; every further one becomes "other".
  explicit LabelLimiter(std::size_t limit) : limit_(limit) {}

  // Returns the normalised text, or "other".
  [[nodiscard]] std::string Admit(std::string_view text);

 private:
  std::size_t limit_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> known_;  // guarded by mutex_
};

}  // namespace baokms::supervisor
