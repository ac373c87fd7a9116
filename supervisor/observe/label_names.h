// The names that metric labels and logs use for values that are numbers in the messages between
// processes.

#pragma once

#include <string_view>

#include "proto/ipc.pb.h"

namespace baokms::supervisor {

// Returns "transit_encrypt", ...; "unknown" for an unknown number.
[[nodiscard]] std::string_view OperationLabel(ipc::OpenBaoOperation operation);

// Returns "ok", "invalid_request", ... "canceled", "timeout", "auth_failed"; "unknown" for an
// outcome without a class.
[[nodiscard]] std::string_view OutcomeLabel(ipc::Outcome outcome);

// Returns a status word of docs/authentication.md#status-words, "" for an empty text, and "error"
// for any other: a text from a child must not become a label unchecked.
[[nodiscard]] std::string_view AuthStatusLabel(std::string_view word);

}  // namespace baokms::supervisor
