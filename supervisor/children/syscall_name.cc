#include "supervisor/children/syscall_name.h"

#include <seccomp.h>

#include <cstdlib>
#include <memory>

namespace baokms::supervisor {
namespace {

struct FreeText {
  // libseccomp allocates the name with malloc(3) and leaves freeing it to the caller.
  void operator()(char* text) const { std::free(text); }  // NOLINT(cppcoreguidelines-no-malloc)
};

}  // namespace

std::string SyscallName(std::uint32_t number) {
  const std::unique_ptr<char, FreeText> name(
      ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(number)));
  return name == nullptr ? "unknown" : name.get();
}

}  // namespace baokms::supervisor
