// The directory that holds the registry, opened once; every file in it is reached by its name
// relative to that descriptor. It checks who could have tampered with a file, and replaces files so
// that a power cut leaves the old or the new one (docs/contract.md#durability). It knows no
// formats.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "supervisor/registry/file_ops.h"

namespace baokms::supervisor {

class StateDirectory final {
 public:
  // Opens the parent of the absolute `state_path`. kNotFound: no such directory;
  // kPermissionDenied: it is a link, or its group or others may write. `ops` must outlive the
  // object.
  static Result<StateDirectory> Open(FileOps& ops, const std::string& state_path);

  // The last component of the path that Open() was given, which names the state file.
  [[nodiscard]] const std::string& base_name() const { return base_name_; }

  [[nodiscard]] int fd() const { return fd_.get(); }

  // The whole of a regular file that only its owner may write and only its group may read
  // (mode & 0137 == 0). Empty when there is no such file. kPermissionDenied for another kind or
  // mode, kResourceExhausted above `max_bytes`.
  [[nodiscard]] Result<std::optional<std::string>> ReadFile(const std::string& name,
                                                            std::size_t max_bytes) const;

  // Replaces or creates a file of mode 0640, durably: success means that a power cut can not undo
  // it. After a failure the file is the old or the new one, and the new one may not be durable.
  [[nodiscard]] Status ReplaceFile(const std::string& name, std::string_view content) const;

  // Makes the names durable as they are now: a process that died after a rename may have left one
  // that a power cut would still undo.
  [[nodiscard]] Status SyncNames() const { return ops_->Sync(fd_.get()); }

  // The checks that Open() made, again: modes can change while the program runs.
  [[nodiscard]] Status Check() const;

 private:
  StateDirectory(FileOps& ops, UniqueFd fd, std::string base_name)
      : ops_(&ops), fd_(std::move(fd)), base_name_(std::move(base_name)) {}

  [[nodiscard]] Status CheckTarget(const std::string& name) const;
  [[nodiscard]] Status WriteTemporary(const std::string& name, std::string_view content) const;
  [[nodiscard]] Status RemoveIfThere(const std::string& name) const;

  FileOps* ops_;
  UniqueFd fd_;
  std::string base_name_;
};

}  // namespace baokms::supervisor
