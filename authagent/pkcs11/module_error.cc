#include "authagent/pkcs11/module_error.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <p11-kit/pkcs11.h>

#include "common/base/error.h"

namespace baokms::authagent {
namespace {

struct NamedCode {
  unsigned long code;
  std::string_view name;
};

#define BAOKMS_CKR(name) \
  NamedCode {            \
    name, #name          \
  }

// PKCS#11 3.0, section 5.1.
constexpr auto kNames = std::to_array<NamedCode>({
    BAOKMS_CKR(CKR_CANT_LOCK),
    BAOKMS_CKR(CKR_ATTRIBUTE_READ_ONLY),
    BAOKMS_CKR(CKR_ATTRIBUTE_SENSITIVE),
    BAOKMS_CKR(CKR_ATTRIBUTE_TYPE_INVALID),
    BAOKMS_CKR(CKR_ATTRIBUTE_VALUE_INVALID),
    BAOKMS_CKR(CKR_ACTION_PROHIBITED),
    BAOKMS_CKR(CKR_DATA_INVALID),
    BAOKMS_CKR(CKR_DATA_LEN_RANGE),
    BAOKMS_CKR(CKR_DEVICE_ERROR),
    BAOKMS_CKR(CKR_DEVICE_MEMORY),
    BAOKMS_CKR(CKR_DEVICE_REMOVED),
    BAOKMS_CKR(CKR_ENCRYPTED_DATA_INVALID),
    BAOKMS_CKR(CKR_ENCRYPTED_DATA_LEN_RANGE),
    BAOKMS_CKR(CKR_FUNCTION_CANCELED),
    BAOKMS_CKR(CKR_FUNCTION_NOT_PARALLEL),
    BAOKMS_CKR(CKR_FUNCTION_NOT_SUPPORTED),
    BAOKMS_CKR(CKR_KEY_HANDLE_INVALID),
    BAOKMS_CKR(CKR_KEY_SIZE_RANGE),
    BAOKMS_CKR(CKR_KEY_TYPE_INCONSISTENT),
    BAOKMS_CKR(CKR_KEY_NOT_NEEDED),
    BAOKMS_CKR(CKR_KEY_CHANGED),
    BAOKMS_CKR(CKR_KEY_NEEDED),
    BAOKMS_CKR(CKR_KEY_INDIGESTIBLE),
    BAOKMS_CKR(CKR_KEY_FUNCTION_NOT_PERMITTED),
    BAOKMS_CKR(CKR_KEY_NOT_WRAPPABLE),
    BAOKMS_CKR(CKR_KEY_UNEXTRACTABLE),
    BAOKMS_CKR(CKR_MECHANISM_INVALID),
    BAOKMS_CKR(CKR_MECHANISM_PARAM_INVALID),
    BAOKMS_CKR(CKR_OBJECT_HANDLE_INVALID),
    BAOKMS_CKR(CKR_OPERATION_ACTIVE),
    BAOKMS_CKR(CKR_OPERATION_NOT_INITIALIZED),
    BAOKMS_CKR(CKR_PIN_INCORRECT),
    BAOKMS_CKR(CKR_PIN_INVALID),
    BAOKMS_CKR(CKR_PIN_LEN_RANGE),
    BAOKMS_CKR(CKR_PIN_EXPIRED),
    BAOKMS_CKR(CKR_PIN_LOCKED),
    BAOKMS_CKR(CKR_SESSION_CLOSED),
    BAOKMS_CKR(CKR_SESSION_COUNT),
    BAOKMS_CKR(CKR_SESSION_HANDLE_INVALID),
    BAOKMS_CKR(CKR_SESSION_PARALLEL_NOT_SUPPORTED),
    BAOKMS_CKR(CKR_SESSION_READ_ONLY),
    BAOKMS_CKR(CKR_SESSION_EXISTS),
    BAOKMS_CKR(CKR_SESSION_READ_ONLY_EXISTS),
    BAOKMS_CKR(CKR_SESSION_READ_WRITE_SO_EXISTS),
    BAOKMS_CKR(CKR_SIGNATURE_INVALID),
    BAOKMS_CKR(CKR_SIGNATURE_LEN_RANGE),
    BAOKMS_CKR(CKR_TEMPLATE_INCOMPLETE),
    BAOKMS_CKR(CKR_TEMPLATE_INCONSISTENT),
    BAOKMS_CKR(CKR_TOKEN_NOT_PRESENT),
    BAOKMS_CKR(CKR_TOKEN_NOT_RECOGNIZED),
    BAOKMS_CKR(CKR_TOKEN_WRITE_PROTECTED),
    BAOKMS_CKR(CKR_UNWRAPPING_KEY_HANDLE_INVALID),
    BAOKMS_CKR(CKR_UNWRAPPING_KEY_SIZE_RANGE),
    BAOKMS_CKR(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT),
    BAOKMS_CKR(CKR_USER_ALREADY_LOGGED_IN),
    BAOKMS_CKR(CKR_USER_NOT_LOGGED_IN),
    BAOKMS_CKR(CKR_USER_PIN_NOT_INITIALIZED),
    BAOKMS_CKR(CKR_USER_TYPE_INVALID),
    BAOKMS_CKR(CKR_USER_ANOTHER_ALREADY_LOGGED_IN),
    BAOKMS_CKR(CKR_USER_TOO_MANY_TYPES),
    BAOKMS_CKR(CKR_WRAPPED_KEY_INVALID),
    BAOKMS_CKR(CKR_WRAPPED_KEY_LEN_RANGE),
    BAOKMS_CKR(CKR_WRAPPING_KEY_HANDLE_INVALID),
    BAOKMS_CKR(CKR_WRAPPING_KEY_SIZE_RANGE),
    BAOKMS_CKR(CKR_WRAPPING_KEY_TYPE_INCONSISTENT),
    BAOKMS_CKR(CKR_RANDOM_SEED_NOT_SUPPORTED),
    BAOKMS_CKR(CKR_RANDOM_NO_RNG),
    BAOKMS_CKR(CKR_DOMAIN_PARAMS_INVALID),
    BAOKMS_CKR(CKR_CURVE_NOT_SUPPORTED),
    BAOKMS_CKR(CKR_BUFFER_TOO_SMALL),
    BAOKMS_CKR(CKR_SAVED_STATE_INVALID),
    BAOKMS_CKR(CKR_INFORMATION_SENSITIVE),
    BAOKMS_CKR(CKR_STATE_UNSAVEABLE),
    BAOKMS_CKR(CKR_CRYPTOKI_NOT_INITIALIZED),
    BAOKMS_CKR(CKR_CRYPTOKI_ALREADY_INITIALIZED),
    BAOKMS_CKR(CKR_MUTEX_BAD),
    BAOKMS_CKR(CKR_MUTEX_NOT_LOCKED),
    BAOKMS_CKR(CKR_NEW_PIN_MODE),
    BAOKMS_CKR(CKR_NEXT_OTP),
    BAOKMS_CKR(CKR_EXCEEDED_MAX_ITERATIONS),
    BAOKMS_CKR(CKR_FIPS_SELF_TEST_FAILED),
    BAOKMS_CKR(CKR_LIBRARY_LOAD_FAILED),
    BAOKMS_CKR(CKR_PIN_TOO_WEAK),
    BAOKMS_CKR(CKR_PUBLIC_KEY_INVALID),
    BAOKMS_CKR(CKR_FUNCTION_REJECTED),
});

#undef BAOKMS_CKR

unsigned long CodeOf(const Error& error) {
  return static_cast<std::uint32_t>(error.sys_errno());
}

bool IsNativeCall(const Error& error) {
  return error.what().starts_with("C_");
}

}  // namespace

std::string_view CkrName(unsigned long code) {
  if (code == CKR_OK) {
    return "CKR_OK";
  }
  const auto* found = std::ranges::find(kNames, code, &NamedCode::code);
  if (found != kNames.end()) {
    return found->name;
  }
  return (code & CKR_VENDOR_DEFINED) != 0 ? "CKR_VENDOR_DEFINED" : "CKR_UNKNOWN";
}

Error ModuleError(Literal function, unsigned long code) {
  return {ErrorCode::kUnavailable, function, static_cast<int>(static_cast<std::uint32_t>(code))};
}

std::string Describe(const Error& error) {
  std::string text(error.what());
  if (IsNativeCall(error)) {
    text.append(": ").append(CkrName(CodeOf(error)));
  }
  return text;
}

bool IsKeyProperty(const Error& error) {
  if (!IsNativeCall(error)) {
    return error.code() == ErrorCode::kFailedPrecondition;
  }
  switch (CodeOf(error)) {
    case CKR_ACTION_PROHIBITED:
    case CKR_KEY_FUNCTION_NOT_PERMITTED:
    case CKR_KEY_SIZE_RANGE:
    case CKR_KEY_TYPE_INCONSISTENT:
    case CKR_MECHANISM_INVALID:
    case CKR_MECHANISM_PARAM_INVALID:
    case CKR_USER_NOT_LOGGED_IN:  // after a login: the key requires a login for each signature
      return true;
    default:
      return false;
  }
}

PinVerdict ClassifyLogin(const Error& error) {
  if (!IsNativeCall(error)) {
    return PinVerdict::kNotTried;
  }
  switch (CodeOf(error)) {
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
    case CKR_PIN_EXPIRED:
    case CKR_PIN_LOCKED:
      return PinVerdict::kRefused;
    // The session, the library or the token was lost before the PIN could be checked.
    case CKR_CRYPTOKI_NOT_INITIALIZED:
    case CKR_SESSION_CLOSED:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_DEVICE_REMOVED:
    case CKR_USER_PIN_NOT_INITIALIZED:
      return PinVerdict::kNotTried;
    default:
      return PinVerdict::kUnknown;
  }
}

}  // namespace baokms::authagent
