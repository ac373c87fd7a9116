#include "common/base/secret_buffer.h"

#include <strings.h>

#include <cstring>
#include <utility>

#include "common/base/error.h"
#include "common/base/secret_pages.h"

namespace baokms {
Result<SecretBuffer> SecretBuffer::Allocate(std::size_t size) {
  if (size == 0) {
    return Error(ErrorCode::kInvalidArgument, "SecretBuffer: empty");
  }
  return SecretBuffer(BAOKMS_TRY(TakeSecretPages(size)), size);
}

Result<SecretBuffer> SecretBuffer::TakeFrom(std::span<std::uint8_t> source) {
  SecretBuffer buffer = BAOKMS_TRY(Allocate(source.size()));
  std::memcpy(buffer.data_, source.data(), source.size());
  ::explicit_bzero(source.data(), source.size());
  return buffer;
}

Result<SecretBuffer> SecretBuffer::TakeFrom(std::string& source) {
  return TakeFrom(std::span(reinterpret_cast<std::uint8_t*>(source.data()), source.size()));
}

SecretBuffer::SecretBuffer(SecretBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {
}

SecretBuffer& SecretBuffer::operator=(SecretBuffer&& other) noexcept {
  if (this != &other) {
    Destroy();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

SecretBuffer::~SecretBuffer() {
  Destroy();
}

void SecretBuffer::Destroy() {
  if (data_ == nullptr) {
    return;
  }
  ::explicit_bzero(data_, size_);  // no caller received more than this
  ReturnSecretPages(data_, size_);
  data_ = nullptr;
  size_ = 0;
}

bool operator==(const SecretBuffer& a, const SecretBuffer& b) {
  if (a.size_ != b.size_) {
    return false;
  }
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size_; ++i) {
    difference |= static_cast<unsigned>(a.data_[i] ^ b.data_[i]);
  }
  return difference == 0;
}

}  // namespace baokms
