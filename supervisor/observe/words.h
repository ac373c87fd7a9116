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

}  // namespace baokms::supervisor
