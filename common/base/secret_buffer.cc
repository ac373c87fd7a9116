#include "common/base/secret_buffer.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <unistd.h>

#include <utility>

#include "common/base/error.h"
#include "common/base/result.h"

namespace baokms {

Result<SecretBuffer> SecretBuffer::Allocate(std::size_t size) {
  if (size == 0) {
    return Error(ErrorCode::kInvalidArgument, "SecretBuffer: empty");
  }
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t mapped = (size + page - 1) / page * page;
  void* memory =
      ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return Error(ErrorCode::kSystem, "mmap", errno);
  }
  SecretBuffer buffer(static_cast<std::uint8_t*>(memory), size, mapped);
  if (::mlock(memory, mapped) != 0) {
    return Error(ErrorCode::kSystem, "mlock", errno);
  }
  if (::madvise(memory, mapped, MADV_DONTDUMP) != 0) {
    return Error(ErrorCode::kSystem, "madvise(MADV_DONTDUMP)", errno);
  }
  if (::madvise(memory, mapped, MADV_WIPEONFORK) != 0) {
    return Error(ErrorCode::kSystem, "madvise(MADV_WIPEONFORK)", errno);
  }
  return buffer;
}

Result<SecretBuffer> SecretBuffer::TakeFrom(std::span<std::uint8_t> source) {
  SecretBuffer buffer = BAOKMS_TRY(Allocate(source.size()));
  std::memcpy(buffer.data_, source.data(), source.size());
  ::explicit_bzero(source.data(), source.size());
  return buffer;
}

SecretBuffer::SecretBuffer(SecretBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, 0)) {
}

SecretBuffer& SecretBuffer::operator=(SecretBuffer&& other) noexcept {
  if (this != &other) {
    Destroy();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    mapped_ = std::exchange(other.mapped_, 0);
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
  ::explicit_bzero(data_, mapped_);
  (void)::munmap(data_, mapped_);  // also unlocks
  data_ = nullptr;
  size_ = 0;
  mapped_ = 0;
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
