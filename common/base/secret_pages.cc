#include "common/base/secret_pages.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bitset>
#include <cerrno>
#include <mutex>
#include <utility>

#include "common/base/error.h"
#include "common/base/unique_fd.h"

namespace baokms {
namespace {

constexpr std::size_t PagesFor(std::size_t size) {
  return (size + kSecretPage - 1) / kSecretPage;
}

// Returns null where the kernel does not give any.
std::uint8_t* MapSecretMemory(std::size_t size) {
  rlimit files{};
  // Above this limit ftruncate(2) would end the process with SIGXFSZ.
  if (::getrlimit(RLIMIT_FSIZE, &files) != 0 || files.rlim_cur < size) {
    return nullptr;
  }
  const UniqueFd fd(static_cast<int>(::syscall(SYS_memfd_secret, O_CLOEXEC)));
  if (!fd.valid() || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
    return nullptr;
  }
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) {
    return nullptr;
  }
  // The memory is shared; what it holds would be visible to a forked child.
  if (::madvise(memory, size, MADV_DONTFORK) != 0) {
    (void)::munmap(memory, size);
    return nullptr;
  }
  return static_cast<std::uint8_t*>(memory);
}

class Reservation final {
 public:
  constexpr Reservation() = default;

  void Make() {
    const std::lock_guard lock(mutex_);
    if (memory_ == nullptr) {
      memory_ = MapSecretMemory(kReservedSecretBytes);
    }
  }

  // Returns the first `count` neighbours that are free, or null.
  std::uint8_t* Take(std::size_t count) {
    const std::lock_guard lock(mutex_);
    std::size_t run = 0;
    for (std::size_t page = 0; memory_ != nullptr && page < used_.size(); ++page) {
      run = used_.test(page) ? 0 : run + 1;
      if (run == count) {
        Mark(page + 1 - count, count, true);
        return memory_ + ((page + 1 - count) * kSecretPage);
      }
    }
    return nullptr;
  }

  // Returns false if these pages are not of the reservation.
  bool TakeBack(const std::uint8_t* pages, std::size_t count) {
    const std::lock_guard lock(mutex_);
    if (memory_ == nullptr || pages < memory_ || pages >= memory_ + kReservedSecretBytes) {
      return false;
    }
    Mark(static_cast<std::size_t>(pages - memory_) / kSecretPage, count, false);
    return true;
  }

 private:
  void Mark(std::size_t first, std::size_t count, bool used) {
    for (std::size_t page = first; page < first + count; ++page) {
      used_.set(page, used);
    }
  }

  std::mutex mutex_;
  std::uint8_t* memory_ = nullptr;
  std::bitset<kReservedSecretBytes / kSecretPage> used_;
};

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
      (void)::munmap(page, kSecretPage);
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
constinit Reservation reservation;
constinit SparePages spare_pages;

Result<std::uint8_t*> MapLockedPages(std::size_t size) {
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return Error(ErrorCode::kSystem, "mmap", errno);
  }
  if (const Status guarded = Guard(memory, size); !guarded) {
    (void)::munmap(memory, size);
    return guarded.error();
  }
  return static_cast<std::uint8_t*>(memory);
}

}  // namespace

void ReserveSecretPages() {
  reservation.Make();
}

Result<std::uint8_t*> TakeSecretPages(std::size_t size) {
  const std::size_t count = PagesFor(size);
  if (std::uint8_t* const reserved = reservation.Take(count)) {
    return reserved;
  }
  if (count == 1) {
    if (std::uint8_t* const kept = spare_pages.Take()) {
      return kept;
    }
  }
  return MapLockedPages(count * kSecretPage);
}

void ReturnSecretPages(std::uint8_t* pages, std::size_t size) {
  const std::size_t count = PagesFor(size);
  if (!reservation.TakeBack(pages, count) && (count != 1 || !spare_pages.Keep(pages))) {
    (void)::munmap(pages, count * kSecretPage);  // also unlocks the pages
  }
}

}  // namespace baokms
