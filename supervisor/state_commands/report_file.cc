#include "supervisor/state_commands/report_file.h"

#include <fcntl.h>

#include <cerrno>

#include "common/base/unique_fd.h"
#include "supervisor/config/safe_file.h"
#include "supervisor/registry/file_ops.h"

namespace baokms::supervisor {

Status WriteNewFile(const std::string& path, std::string_view content) {
  SystemFileOps ops;
  const Status written = WriteNewFile(ops, AT_FDCWD, path, content, 0640);
  if (!written && written.error().sys_errno() == EEXIST) {
    return Error(ErrorCode::kFailedPrecondition, "the file already exists; choose a new name");
  }
  return written;
}

Result<std::string> ReadWholeFile(const std::string& path, std::size_t max_bytes) {
  SystemFileOps ops;
  const UniqueFd file = BAOKMS_TRY(ops.Open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0));
  return ReadRegularFile(file.get(), max_bytes);
}

}  // namespace baokms::supervisor
