// Overwrites plaintext in place in strings that this project does not allocate: bytes fields of
// messages.

#pragma once

#include <strings.h>

#include <string>

namespace baokms::worker {

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
