// What a PKCS#11 module answered, in words. An Error of a native call has the function's name as
// its text ("C_Login") and the CK_RV where others have an errno.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/error.h"

namespace baokms::authagent {

// "CKR_PIN_INCORRECT"; "CKR_VENDOR_DEFINED" and "CKR_UNKNOWN" for what PKCS#11 3.0 does not name.
[[nodiscard]] std::string_view CkrName(unsigned long code);

// The CK_RV of a native call as an Error. Anything but CKR_OK.
[[nodiscard]] Error ModuleError(Literal function, unsigned long code);

// "C_Login: CKR_PIN_INCORRECT" for an error of a native call, the text alone for any other.
[[nodiscard]] std::string Describe(const Error& error);

// What a failed C_Login says about the PIN (docs/authentication.md#the-pin-is-tried-once).
enum class PinVerdict : std::uint8_t {
  kRefused,   // the token looked at it, and may have counted
  kNotTried,  // the call cannot have got as far as the PIN
  kUnknown,
};

[[nodiscard]] PinVerdict ClassifyLogin(const Error& error);

// Whether a failure of FindKey() or of the first signature is a property of the key or its token,
// which no new session changes.
[[nodiscard]] bool IsKeyProperty(const Error& error);

}  // namespace baokms::authagent
