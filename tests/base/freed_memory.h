// Finds a secret in memory that is given back to the allocator. A program that links this has
// operators new and delete of its own.

#pragma once

#include <cstddef>
#include <string_view>

namespace baokms {

// For its lifetime, counts the freed blocks of all threads that contain `needle`, which must
// outlive it and must not be in any block that the test itself frees. One at a time.
class FreedMemory final {
 public:
  explicit FreedMemory(std::string_view needle);
  ~FreedMemory();
  FreedMemory(const FreedMemory&) = delete;
  FreedMemory& operator=(const FreedMemory&) = delete;

  [[nodiscard]] std::size_t found() const;
};

}  // namespace baokms
