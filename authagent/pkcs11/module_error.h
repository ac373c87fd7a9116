// Names and classifies the return codes of a PKCS#11 module. An Error of a native call has the
// function's name as its text ("C_Login") and the CK_RV in place of the errno.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "proto/ipc.pb.h"

namespace baokms::authagent {

// Returns "CKR_PIN_INCORRECT"; "CKR_VENDOR_DEFINED" or "CKR_UNKNOWN" for any code that PKCS#11 3.0
// does not name, or names for functions that are never called.
[[nodiscard]] std::string_view CkrName(unsigned long code);

// Converts the CK_RV of a native call into an Error. `code` must not be CKR_OK.
[[nodiscard]] Error ModuleError(Literal function, unsigned long code);

// Returns "C_Login: CKR_PIN_INCORRECT" or "C_Sign: CKR_VENDOR_DEFINED (0x80000001)" for an error of
// a native call, and only the text for any other.
[[nodiscard]] std::string Describe(const Error& error);

// Returns what a failed C_Login reveals about the PIN
// (docs/authentication.md#the-pin-is-tried-once): RESULT_REFUSED if the token checked it and may
// have counted the attempt, RESULT_NOT_TRIED if the call cannot have reached the check, and nothing
// if either is possible.
[[nodiscard]] std::optional<ipc::PinAttemptEnd::Result> ClassifyLogin(const Error& error);

// Returns whether a failure of Open(), FindKey() or the first signature has a cause that only a
// change of the configuration, the token or the key can remove, and a new process cannot.
[[nodiscard]] bool NeedsOperator(const Error& error);

}  // namespace baokms::authagent
