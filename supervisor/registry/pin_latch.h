// Remembers on disk that a PIN was tried, so that no restart of any process tries it twice:
// "attempting" is written before the module receives the PIN, and only a success removes it. A
// token counts wrong PINs and locks itself; the latch keeps this from happening. It never learns a
// PIN, only a tag.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "supervisor/registry/file_ops.h"
#include "supervisor/registry/state_directory.h"

namespace baokms::supervisor {

// Mixed into the tag, so that equal PINs of two installations are not visible.
using PinSalt = std::array<std::uint8_t, 16>;

struct PinRecord {
  enum class Kind : std::uint8_t {
    kAttempting,  // tried, with no known result
    kRefused,     // refused by the token
  };
  Kind kind = Kind::kAttempting;
  std::uint16_t tag = 0;  // only ipc::kPinTagBits count; older files have more
  PinSalt salt{};

  friend bool operator==(const PinRecord&, const PinRecord&) = default;
};

// Formats one line: "pin-latch/v1 refused 1a2b <salt in hex>".
[[nodiscard]] std::string FormatPinRecord(const PinRecord& record);
Result<PinRecord> ParsePinRecord(std::string_view text);

enum class PinPermission : std::uint8_t {
  kAllowed,
  kRefusedBefore,
  kUnfinishedBefore,
  kNoLatch,  // the latch cannot be read or written
};

class PinLatch final {
 public:
  // Opens the latch beside the state file at the absolute `state_path`. `ops` must outlive it.
  static Result<PinLatch> Open(FileOps& ops, const std::string& state_path);

  // Returns the recorded attempt; nothing after a success or before the first attempt.
  [[nodiscard]] Result<std::optional<PinRecord>> Read() const;

  // Returns the salt of the recorded attempt, otherwise a new one.
  [[nodiscard]] Result<PinSalt> Salt() const;

  // Decides whether the PIN with this tag may be tried. If it may, the attempt is already on disk.
  // The file is read each time, because another process may call Clear().
  [[nodiscard]] PinPermission Begin(const PinSalt& salt, std::uint16_t tag) const;

  // Records that the token refused the PIN of the last Begin().
  [[nodiscard]] Status Refuse(const PinSalt& salt, std::uint16_t tag) const;

  // Removes the record, after a success or at an operator's request. Does nothing if there is none.
  [[nodiscard]] Status Clear() const;

 private:
  PinLatch(FileOps& ops, StateDirectory directory);

  FileOps* ops_;
  StateDirectory directory_;
  std::string name_;
};

}  // namespace baokms::supervisor
