// Remembers on disk that a PIN was tried, so that no restart of any process tries it twice: before
// the module sees it "attempting" is written, and only a success takes that back. A token counts
// wrong PINs and locks; this is why ours never gets that far. It never learns a PIN, only a tag.

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

// Mixed into the tag, so that equal PINs of two installations do not show.
using PinSalt = std::array<std::uint8_t, 16>;

struct PinRecord {
  enum class Kind : std::uint8_t {
    kAttempting,  // tried, and nobody said how it ended
    kRefused,     // by the token
  };
  Kind kind = Kind::kAttempting;
  std::uint16_t tag = 0;
  PinSalt salt{};

  friend bool operator==(const PinRecord&, const PinRecord&) = default;
};

// One line: "pin-latch/v1 refused 1a2b <salt in hex>".
[[nodiscard]] std::string FormatPinRecord(const PinRecord& record);
Result<PinRecord> ParsePinRecord(std::string_view text);

enum class PinPermission : std::uint8_t {
  kAllowed,
  kRefusedBefore,
  kUnfinishedBefore,
  kNoLatch,  // cannot be read or written
};

class PinLatch final {
 public:
  // The latch beside the state file at the absolute `state_path`. `ops` must outlive it.
  static Result<PinLatch> Open(FileOps& ops, const std::string& state_path);

  // What is remembered; nothing after a success, or before the first attempt.
  [[nodiscard]] Result<std::optional<PinRecord>> Read() const;

  // The salt of what is remembered, else a fresh one.
  [[nodiscard]] Result<PinSalt> Salt() const;

  // May the PIN with this tag be tried? When it may, the attempt is on disk already. The file is
  // read each time, because Clear() may be called by another process.
  [[nodiscard]] PinPermission Begin(const PinSalt& salt, std::uint16_t tag) const;

  // The token refused the PIN of the last Begin().
  [[nodiscard]] Status Refuse(const PinSalt& salt, std::uint16_t tag) const;

  // Forgets, after a success or on an operator's word. Harmless when there is nothing.
  [[nodiscard]] Status Clear() const;

 private:
  PinLatch(FileOps& ops, StateDirectory directory);

  FileOps* ops_;
  StateDirectory directory_;
  std::string name_;
};

}  // namespace baokms::supervisor
