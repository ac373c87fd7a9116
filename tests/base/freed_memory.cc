#include "tests/base/freed_memory.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace baokms {
namespace {

std::atomic<const char*> wanted = nullptr;
std::atomic<std::size_t> wanted_size = 0;
std::atomic<std::size_t> hits = 0;

void* Take(std::size_t size) {
  void* const block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) {
    std::abort();
  }
  return block;
}

void Give(void* block) {
  const char* const needle = wanted;
  if (block != nullptr && needle != nullptr) {
    const std::string_view text(static_cast<const char*>(block), ::malloc_usable_size(block));
    hits += text.find(std::string_view(needle, wanted_size)) == std::string_view::npos ? 0U : 1U;
  }
  std::free(block);
}

}  // namespace

FreedMemory::FreedMemory(std::string_view needle) {
  hits = 0;
  wanted_size = needle.size();
  wanted = needle.data();
}

FreedMemory::~FreedMemory() {
  wanted = nullptr;
}

std::size_t FreedMemory::found() const {
  return hits;
}

}  // namespace baokms

// The array forms of the library call these; those of AddressSanitizer belong together. Blocks with
// a larger alignment, which hold no text, keep the operators of the library.
void* operator new(std::size_t size) {
  return baokms::Take(size);
}

void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return baokms::Take(size);
}

void operator delete(void* block) noexcept {
  baokms::Give(block);
}

void operator delete(void* block, std::size_t /*size*/) noexcept {
  baokms::Give(block);
}
