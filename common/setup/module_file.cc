#include "common/setup/module_file.h"

#include <cstddef>
#include <limits>

namespace baokms::setup {

// The loader opens the path again. Whoever could replace the file in between could also have
// written it before.
std::optional<PathRefusal> CheckModuleFile(const std::string& path, uid_t own_user) {
  return OpenFileByRules(path, {.forbidden_bits = 0022,
                                .max_size = std::numeric_limits<std::size_t>::max(),
                                .own_user = own_user,
                                .directories = DirectoryOwners::kRootOrOwn})
      .refusal;
}

}  // namespace baokms::setup
