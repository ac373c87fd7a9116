// Wipes every block of memory that the supervisor frees, because gRPC and protobuf leave plaintexts
// in theirs. The functions take the place of glibc's, for all libraries of the program
// (https://www.gnu.org/software/libc/manual/html_node/Replacing-malloc.html); the heap stays
// glibc's. The children get the same from glibc itself (spawner/launch.h), which needs an
// environment of one's own and does without the caches of the threads.

#include <malloc.h>
#include <strings.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

extern "C" {

// NOLINTBEGIN(bugprone-reserved-identifier): glibc's names for its own functions
void __libc_free(void* block) noexcept;
void* __libc_malloc(std::size_t size) noexcept;

// NOLINTEND(bugprone-reserved-identifier)

void free(void* block) noexcept {
  if (block != nullptr) {
    ::explicit_bzero(block, ::malloc_usable_size(block));
  }
  __libc_free(block);
}

void* realloc(void* block, std::size_t size) noexcept {
  const std::size_t old_size = ::malloc_usable_size(block);
  if (size <= old_size && size > old_size / 2) {
    return block;
  }
  void* const moved = size > 0 || block == nullptr ? __libc_malloc(size) : nullptr;
  if (moved == nullptr && size > 0) {
    return nullptr;
  }
  if (block != nullptr && moved != nullptr) {
    std::memcpy(moved, block, size < old_size ? size : old_size);
  }
  free(block);
  return moved;
}

}  // extern "C"
