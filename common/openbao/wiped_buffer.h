// A growing buffer for HTTP bodies and headers that may contain secrets: its memory is wiped
// whenever it is released. It is not locked, because responses have up to 4 MiB; a secret that is
// kept is moved into a SecretBuffer.

#pragma once

#include <string.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace baokms::openbao {

template <typename Value>
struct WipingAllocator {
  using value_type = Value;

  Value* allocate(std::size_t count) { return std::allocator<Value>().allocate(count); }

  void deallocate(Value* memory, std::size_t count) noexcept {
    ::explicit_bzero(memory, count * sizeof(Value));
    std::allocator<Value>().deallocate(memory, count);
  }

  friend bool operator==(const WipingAllocator&, const WipingAllocator&) { return true; }
};

class WipedBuffer final {
 public:
  WipedBuffer() = default;
  WipedBuffer(const WipedBuffer&) = delete;
  WipedBuffer& operator=(const WipedBuffer&) = delete;
  WipedBuffer(WipedBuffer&&) noexcept = default;
  WipedBuffer& operator=(WipedBuffer&&) noexcept = default;
  ~WipedBuffer() = default;

  // Reserves `capacity` bytes in total.
  void Reserve(std::size_t capacity) { bytes_.reserve(capacity); }

  void Append(std::string_view text) { bytes_.insert(bytes_.end(), text.begin(), text.end()); }

  void Append(char character) { bytes_.push_back(character); }

  // Appends `size` zeros and returns them, to be overwritten.
  std::span<std::uint8_t> Extend(std::size_t size) {
    bytes_.resize(bytes_.size() + size);
    return {reinterpret_cast<std::uint8_t*>(bytes_.data() + bytes_.size() - size), size};
  }

  // Wipes the content. Keeps the memory only if it is small.
  void Clear() {
    if (!bytes_.empty()) {
      ::explicit_bzero(bytes_.data(), bytes_.size());
    }
    bytes_.clear();
    if (bytes_.capacity() > kMaxKeptBytes) {
      bytes_.shrink_to_fit();
    }
  }

  [[nodiscard]] std::string_view text() const { return {bytes_.data(), bytes_.size()}; }

  // Returns the same bytes for libraries that take a pointer; not NUL-terminated.
  [[nodiscard]] char* data() { return bytes_.data(); }

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

 private:
  // Requests, and all responses but the metadata of a key with many versions, are smaller.
  static constexpr std::size_t kMaxKeptBytes = 16384;

  std::vector<char, WipingAllocator<char>> bytes_;
};

}  // namespace baokms::openbao
