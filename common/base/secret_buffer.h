// Memory for key material: locked, kept out of core dumps and of forked children, wiped when it
// dies.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/result.h"

namespace baokms {

class SecretBuffer {
 public:
  // Holds nothing; Reveal() is empty.
  SecretBuffer() = default;

  // Gives zeroed whole pages with mlock, MADV_DONTDUMP and MADV_WIPEONFORK. Fails closed when any
  // of the three does. A few pages are kept for the next short secret.
  static Result<SecretBuffer> Allocate(std::size_t size);

  // Copies `source` in and then wipes it. The caller's copy is gone afterwards.
  static Result<SecretBuffer> TakeFrom(std::span<std::uint8_t> source);

  SecretBuffer(const SecretBuffer&) = delete;
  SecretBuffer& operator=(const SecretBuffer&) = delete;
  SecretBuffer(SecretBuffer&& other) noexcept;
  SecretBuffer& operator=(SecretBuffer&& other) noexcept;
  ~SecretBuffer();

  // The only two ways to the bytes. Named to be found by grep; there is no operator[], no begin(),
  // no ToString().
  [[nodiscard]] std::span<const std::uint8_t> Reveal() const { return {data_, size_}; }

  [[nodiscard]] std::span<std::uint8_t> RevealMutable() { return {data_, size_}; }

  [[nodiscard]] std::size_t size() const { return size_; }

  // Constant time in the contents (not in the lengths).
  friend bool operator==(const SecretBuffer& a, const SecretBuffer& b);

 private:
  SecretBuffer(std::uint8_t* data, std::size_t size, std::size_t mapped)
      : data_(data), size_(size), mapped_(mapped) {}

  void Destroy();

  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;
};

}  // namespace baokms
