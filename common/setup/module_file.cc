#include "common/setup/module_file.h"

#include <cstddef>
#include <limits>

namespace baokms::setup {

Opened OpenModuleFile(const std::string& path, uid_t own_user) {
  return OpenFileByRules(path, {.forbidden_bits = 0022,
                                .max_size = std::numeric_limits<std::size_t>::max(),
                                .own_user = own_user,
                                .directories = DirectoryOwners::kRootOrOwn});
}

}  // namespace baokms::setup
