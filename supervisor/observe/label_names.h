// The names that metric labels and logs use: for values that are numbers in the messages between
// processes, and for texts, some of which come from children.

#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "proto/ipc.pb.h"

namespace baokms::supervisor {

// Returns the name in proto/ipc.proto without its prefix: "transit_encrypt" for
// OPERATION_TRANSIT_ENCRYPT; "unknown" for an unknown number.
[[nodiscard]] std::string OperationLabel(ipc::OpenBaoOperation operation);

// Returns "ok", "invalid_request", ... "canceled", "timeout", "auth_failed"; "unknown" for an
// outcome without a class.
[[nodiscard]] std::string_view OutcomeLabel(ipc::Outcome outcome);

// Returns a status word of docs/authentication.md#status-words, "" for an empty text, and "error"
// for any other: a text from a child must not become a label unchecked.
[[nodiscard]] std::string_view AuthStatusLabel(std::string_view word);

// Converts to lower case, replaces every character outside [a-z0-9_] by '_', turns an empty text
// into "unknown" and truncates to 64 characters.
[[nodiscard]] std::string NormaliseLabel(std::string_view text);

// A vocabulary of bounded size. Thread-safe.
class LabelLimiter final {
 public:
  // Admits `limit` different texts; every further one becomes "other".
  explicit LabelLimiter(std::size_t limit) : limit_(limit) {}

  // Returns the normalised text, or "other".
  [[nodiscard]] std::string Admit(std::string_view text);

 private:
  std::size_t limit_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> known_;  // guarded by mutex_
};

}  // namespace baokms::supervisor
