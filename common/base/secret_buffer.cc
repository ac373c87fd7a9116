#include "common/base/secret_buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

#include "common/base/error.h"

namespace baokms {
namespace {

constexpr std::size_t kPage = 4096;  // x86_64 and our aarch64 target (Debian's kernels)

// Call it before anything secret is written to the memory.
Status Guard(void* memory, std::size_t size) {
  BAOKMS_TRY(CheckSyscall(::mlock(memory, size), "mlock"));
  BAOKMS_TRY(CheckSyscall(::madvise(memory, size, MADV_DONTDUMP), "madvise(MADV_DONTDUMP)"));
  return CheckSyscall(::madvise(memory, size, MADV_WIPEONFORK), "madvise(MADV_WIPEONFORK)");
}

// Wiped pages that stay mapped and guarded for the next short secret: every Decrypt needs one, and
// five system calls with a page fault are a significant part of its cost. Thread-safe.
class SparePages final {
 public:
  constexpr SparePages() = default;

  // Returns a zeroed and guarded page that the caller owns, or null.
  std::uint8_t* Take() {
    const std::lock_guard lock(mutex_);
    while (count_ > 0) {
      std::uint8_t* const page = pages_[--count_];
      if (std::exchange(*page, std::uint8_t{0}) == kMark) {
        return page;
      }
      (void)::munmap(page, kPage);
    }
    return nullptr;
  }

  // Takes ownership of a wiped and guarded page. Returns false when enough pages are kept already.
  bool Keep(std::uint8_t* page) {
    const std::lock_guard lock(mutex_);
    if (count_ == pages_.size()) {
      return false;
    }
    *page = kMark;
    pages_[count_++] = page;
    return true;
  }

 private:
  // In a forked child the mark reads as zero (MADV_WIPEONFORK); the child's pages are not locked
  // (mlock(2)).
  static constexpr std::uint8_t kMark = 0xa5;

  std::mutex mutex_;
  std::array<std::uint8_t*, 16> pages_{};  // the number of secrets a busy worker holds at once
  std::size_t count_ = 0;
};

// Part of the allocator, like the free lists of malloc.
constinit SparePages spare_pages;

}  // namespace

Result<SecretBuffer> SecretBuffer::Allocate(std::size_t size) {
  if (size == 0) {
    return Error(ErrorCode::kInvalidArgument, "SecretBuffer: empty");
  }
  if (size <= kPage) {
    if (std::uint8_t* const kept = spare_pages.Take()) {
      return SecretBuffer(kept, size, kPage);
    }
  }
  const std::size_t mapped = (size + kPage - 1) / kPage * kPage;
  void* memory =
      ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return Error(ErrorCode::kSystem, "mmap", errno);
  }
  if (const Status guarded = Guard(memory, mapped); !guarded) {
    (void)::munmap(memory, mapped);
    return guarded.error();
  }
  return SecretBuffer(static_cast<std::uint8_t*>(memory), size, mapped);
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
  ::explicit_bzero(data_, size_);  // no caller received more than this
  if (mapped_ != kPage || !spare_pages.Keep(data_)) {
    (void)::munmap(data_, mapped_);  // also unlocks the pages
  }
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
