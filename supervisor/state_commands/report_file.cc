#include "supervisor/state_commands/report_file.h"

#include <fcntl.h>

#include "common/base/unique_fd.h"
#include "supervisor/config/safe_file.h"
#include "supervisor/registry/file_ops.h"

namespace baokms::supervisor {

Status WriteNewFile(const std::string& path, std::string_view content) {
  SystemFileOps ops;
  return WriteNewFile(ops, AT_FDCWD, path, content, 0640);
}

Result<std::string> ReadWholeFile(const std::string& path, std::size_t max_bytes) {
  SystemFileOps ops;
  const UniqueFd file = BAOKMS_TRY(ops.Open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0));
  return ReadRegularFile(file.get(), max_bytes);
}

}  // namespace baokms::supervisor
