// A growing buffer for HTTP bodies and headers that may contain secrets: its memory is wiped
// whenever it is released. It is not locked, because responses have up to 4 MiB; a secret that is
// kept is moved into a SecretBuffer.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace baokms::openbao {

class WipedBuffer final {
 public:
  WipedBuffer() = default;
  WipedBuffer(const WipedBuffer&) = delete;
  WipedBuffer& operator=(const WipedBuffer&) = delete;
  WipedBuffer(WipedBuffer&& other) noexcept;
  WipedBuffer& operator=(WipedBuffer&& other) noexcept;
  ~WipedBuffer();

  // Reserves `capacity` bytes in total; existing content is moved and its old memory wiped.
  void Reserve(std::size_t capacity);

  void Append(std::string_view text);

  void Append(char character) { Append(std::string_view(&character, 1)); }

  // Appends `size` bytes of unspecified content and returns them; the caller must fill them.
  std::span<std::uint8_t> Extend(std::size_t size);

  // Wipes the content. Keeps the memory only if it is small.
  void Clear();

  [[nodiscard]] std::string_view text() const;

  // Returns the same bytes for libraries that take a pointer; not NUL-terminated.
  [[nodiscard]] char* data();

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::unique_ptr<std::uint8_t[]> bytes_;  // NOLINT(modernize-avoid-c-arrays): owned storage
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace baokms::openbao
