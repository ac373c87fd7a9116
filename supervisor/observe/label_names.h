// The words that metrics labels and logs use for what travels as a number on the channels.

#pragma once

#include <string_view>

#include "proto/ipc.pb.h"

namespace baokms::supervisor {

// "transit_encrypt", ...; "unknown" for a number that is none.
[[nodiscard]] std::string_view OperationLabel(ipc::Operation operation);

// "ok", "invalid_request", ... "canceled", "timeout", "auth_failed"; "unknown" for what has no
// class.
[[nodiscard]] std::string_view OutcomeLabel(ipc::Outcome outcome);

// A status word of docs/authentication.md#status-words, "" for an empty text, "error" for any
// other: what a child says must not become a label unseen.
[[nodiscard]] std::string_view AuthStatusLabel(std::string_view word);

}  // namespace baokms::supervisor
