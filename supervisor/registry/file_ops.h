// The system calls that the state directory needs, one function each, so that tests can make any of
// them fail or stop there. It knows nothing of formats, names or the order of calls.

#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms::supervisor {

// Errors are kSystem with the errno. Interrupted calls are repeated.
class FileOps {
 public:
  virtual ~FileOps() = default;

  // openat(2); O_CLOEXEC is added. `directory` may be AT_FDCWD for an absolute path.
  virtual Result<UniqueFd> Open(int directory,
                                const std::string& name,
                                int flags,
                                ::mode_t mode) = 0;

  // fstat(2), and fstatat(2) without following a link.
  virtual Result<struct ::stat> Stat(int fd) = 0;
  virtual Result<struct ::stat> StatName(int directory, const std::string& name) = 0;

  // read(2); returns 0 at the end of the file.
  virtual Result<std::size_t> Read(int fd, std::span<std::uint8_t> into) = 0;

  // write(2); may write only a part.
  virtual Result<std::size_t> Write(int fd, std::span<const std::uint8_t> bytes) = 0;

  virtual Status Truncate(int fd) = 0;
  virtual Status SetMode(int fd, ::mode_t mode) = 0;
  virtual Status Sync(int fd) = 0;

  // close(2) with its result, which may be the first report of a failed write.
  virtual Status Close(UniqueFd fd) = 0;

  virtual Status Rename(int directory, const std::string& from, const std::string& to) = 0;
  virtual Status Remove(int directory, const std::string& name) = 0;

 protected:
  FileOps() = default;
  FileOps(const FileOps&) = default;
  FileOps& operator=(const FileOps&) = default;
};

// Writes a new file of `mode` and makes its content durable, but not its name. Fails with EEXIST
// when the file exists.
Status WriteNewFile(
    FileOps& ops, int directory, const std::string& name, std::string_view content, ::mode_t mode);

// The production implementation.
class SystemFileOps final : public FileOps {
 public:
  Result<UniqueFd> Open(int directory, const std::string& name, int flags, ::mode_t mode) override;
  Result<struct ::stat> Stat(int fd) override;
  Result<struct ::stat> StatName(int directory, const std::string& name) override;
  Result<std::size_t> Read(int fd, std::span<std::uint8_t> into) override;
  Result<std::size_t> Write(int fd, std::span<const std::uint8_t> bytes) override;
  Status Truncate(int fd) override;
  Status SetMode(int fd, ::mode_t mode) override;
  Status Sync(int fd) override;
  Status Close(UniqueFd fd) override;
  Status Rename(int directory, const std::string& from, const std::string& to) override;
  Status Remove(int directory, const std::string& name) override;
};

}  // namespace baokms::supervisor
