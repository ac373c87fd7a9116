// Overwrites plaintext in place in strings that this project does not allocate: bytes fields of
// messages.

#pragma once

#include <strings.h>

#include <cstdint>
#include <span>
#include <string>

namespace baokms::worker {

// Returns the bytes of a string, to be moved from or wiped.
inline std::span<std::uint8_t> MutableBytes(std::string& text) {
  return {reinterpret_cast<std::uint8_t*>(text.data()), text.size()};
}

// Wipes a string at the end of the scope, on every path. The string must outlive the scope and must
// not be moved from in it.
class WipeAtEnd final {
 public:
  explicit WipeAtEnd(std::string& text) : text_(text) {}

  WipeAtEnd(const WipeAtEnd&) = delete;
  WipeAtEnd& operator=(const WipeAtEnd&) = delete;

  ~WipeAtEnd() { ::explicit_bzero(text_.data(), text_.size()); }

 private:
  std::string& text_;
};

}  // namespace baokms::worker
