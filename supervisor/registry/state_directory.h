// The directory that holds the registry, opened once; every file in it is reached by its name
// relative to that descriptor. It checks who could have tampered with a file, and replaces files so
// that a power failure leaves either the old or the new one (docs/contract.md#durability). It knows
// no formats.

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
  // Opens the parent of the absolute `state_path`. kNotFound: no such directory; kPermissionDenied:
  // it is a symbolic link, or its group or others may write to it. `ops` must outlive the object.
  static Result<StateDirectory> Open(FileOps& ops, const std::string& state_path);

  // Returns the last component of the path that was passed to Open(): the name of the state file.
  [[nodiscard]] const std::string& base_name() const { return base_name_; }

  [[nodiscard]] int fd() const { return fd_.get(); }

  // Returns the content of a regular file that only its owner may write and only its owner and
  // group may read (mode & 0137 == 0). Empty: no such file. kPermissionDenied: a file of another
  // kind or mode; kResourceExhausted: more than `max_bytes`.
  [[nodiscard]] Result<std::optional<std::string>> ReadFile(const std::string& name,
                                                            std::size_t max_bytes) const;

  // Returns what ReadFile() does not accept about the mode of a file: "mode 0644, at most 0640 is
  // allowed". Empty: the mode is not the problem.
  [[nodiscard]] std::string ModeProblem(const std::string& name) const;

  // Creates or replaces a file of mode 0640 durably: after success a power failure cannot undo it.
  // After a failure the file is the old or the new one, and the new one may not be durable.
  [[nodiscard]] Status ReplaceFile(const std::string& name, std::string_view content) const;

  // Makes the current names durable: a process that exited after a rename may have left one that a
  // power failure would still undo.
  [[nodiscard]] Status SyncNames() const { return ops_->Sync(fd_.get()); }

  // Repeats the checks that Open() made, because modes can change while the program runs.
  [[nodiscard]] Status Check() const;

 private:
  StateDirectory(FileOps& ops, UniqueFd fd, std::string base_name)
      : ops_(&ops), fd_(std::move(fd)), base_name_(std::move(base_name)) {}

  [[nodiscard]] Status CheckTarget(const std::string& name) const;
  [[nodiscard]] Status RemoveIfThere(const std::string& name) const;

  FileOps* ops_;
  UniqueFd fd_;
  std::string base_name_;
};

}  // namespace baokms::supervisor
