#include "common/openbao/wiped_buffer.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

namespace baokms::openbao {
namespace {

constexpr std::size_t kSmallest = 512;
constexpr std::size_t kMaxKept = 16384;

}  // namespace

WipedBuffer::WipedBuffer(WipedBuffer&& other) noexcept
    : bytes_(std::move(other.bytes_)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {
}

WipedBuffer& WipedBuffer::operator=(WipedBuffer&& other) noexcept {
  if (this != &other) {
    Clear();
    bytes_ = std::move(other.bytes_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
  }
  return *this;
}

WipedBuffer::~WipedBuffer() {
  Clear();
}

void WipedBuffer::Reserve(std::size_t capacity) {
  if (capacity <= capacity_) {
    return;
  }
  const std::size_t grown = std::max({capacity, capacity_ * 2, kSmallest});
  // NOLINTNEXTLINE(modernize-avoid-c-arrays): uninitialised storage
  auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(grown);
  if (size_ > 0) {
    std::memcpy(larger.get(), bytes_.get(), size_);
    ::explicit_bzero(bytes_.get(), size_);
  }
  bytes_ = std::move(larger);
  capacity_ = grown;
}

void WipedBuffer::Append(std::string_view text) {
  if (!text.empty()) {
    std::memcpy(Extend(text.size()).data(), text.data(), text.size());
  }
}

std::span<std::uint8_t> WipedBuffer::Extend(std::size_t size) {
  Reserve(size_ + size);
  const std::span<std::uint8_t> added(bytes_.get() + size_, size);
  size_ += size;
  return added;
}

void WipedBuffer::Clear() {
  if (size_ > 0) {
    ::explicit_bzero(bytes_.get(), size_);
  }
  size_ = 0;
  if (capacity_ > kMaxKept) {
    bytes_.reset();
    capacity_ = 0;
  }
}

std::string_view WipedBuffer::text() const {
  return {reinterpret_cast<const char*>(bytes_.get()), size_};
}

char* WipedBuffer::data() {
  return reinterpret_cast<char*>(bytes_.get());
}

}  // namespace baokms::openbao
