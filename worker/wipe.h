// Overwrites plaintext where it lies in strings that are not ours: bytes fields of messages.

#pragma once

#include <strings.h>

#include <cstdint>
#include <span>
#include <string>

namespace baokms::worker {

// The bytes of a string, to be taken over or wiped.
inline std::span<std::uint8_t> MutableBytes(std::string& text) {
  return {reinterpret_cast<std::uint8_t*>(text.data()), text.size()};
}

// Wipes a string when the scope ends, whichever way. The string must outlive the scope and must not
// be moved from before.
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
