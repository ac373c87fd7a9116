// Memory for key material: in pages that no other process can read, or in locked ones, excluded
// from core dumps and from forked children, and wiped when it is released.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace baokms {

class SecretBuffer {
 public:
  // Creates an empty buffer; Reveal() returns an empty span.
  SecretBuffer() = default;

  // Allocates zeroed whole pages of common/base/secret_pages.h, and fails as TakeSecretPages()
  // does.
  static Result<SecretBuffer> Allocate(std::size_t size);

  // Copies `source` into a new buffer and wipes `source`.
  static Result<SecretBuffer> TakeFrom(std::span<std::uint8_t> source);
  static Result<SecretBuffer> TakeFrom(std::string& source);

  SecretBuffer(const SecretBuffer&) = delete;
  SecretBuffer& operator=(const SecretBuffer&) = delete;
  SecretBuffer(SecretBuffer&& other) noexcept;
  SecretBuffer& operator=(SecretBuffer&& other) noexcept;
  ~SecretBuffer();

  // The only access to the bytes, named so that grep finds it. There is no operator[], no begin()
  // and no ToString().
  [[nodiscard]] std::span<const std::uint8_t> Reveal() const { return {data_, size_}; }

  [[nodiscard]] std::string_view RevealText() const {
    return {reinterpret_cast<const char*>(data_), size_};
  }

  [[nodiscard]] std::span<std::uint8_t> RevealMutable() { return {data_, size_}; }

  [[nodiscard]] std::size_t size() const { return size_; }

  // Compares in time that depends on the lengths only, not on the contents.
  friend bool operator==(const SecretBuffer& a, const SecretBuffer& b);

 private:
  SecretBuffer(std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  void Destroy();

  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace baokms
