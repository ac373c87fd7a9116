#include "authagent/pkcs11/module_error.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include <p11-kit/pkcs11.h>

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

// PKCS#11 3.0, section 5.1, without the codes of functions that are never called.
constexpr auto kNames = std::to_array<NamedCode>({
    BAOKMS_CKR(CKR_OK),
    BAOKMS_CKR(CKR_CANT_LOCK),
    BAOKMS_CKR(CKR_ATTRIBUTE_SENSITIVE),
    BAOKMS_CKR(CKR_ATTRIBUTE_TYPE_INVALID),
    BAOKMS_CKR(CKR_ATTRIBUTE_VALUE_INVALID),
    BAOKMS_CKR(CKR_ACTION_PROHIBITED),
    BAOKMS_CKR(CKR_DATA_INVALID),
    BAOKMS_CKR(CKR_DATA_LEN_RANGE),
    BAOKMS_CKR(CKR_DEVICE_ERROR),
    BAOKMS_CKR(CKR_DEVICE_MEMORY),
    BAOKMS_CKR(CKR_DEVICE_REMOVED),
    BAOKMS_CKR(CKR_FUNCTION_CANCELED),
    BAOKMS_CKR(CKR_FUNCTION_NOT_SUPPORTED),
    BAOKMS_CKR(CKR_KEY_HANDLE_INVALID),
    BAOKMS_CKR(CKR_KEY_SIZE_RANGE),
    BAOKMS_CKR(CKR_KEY_TYPE_INCONSISTENT),
    BAOKMS_CKR(CKR_KEY_FUNCTION_NOT_PERMITTED),
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
    BAOKMS_CKR(CKR_TOKEN_NOT_PRESENT),
    BAOKMS_CKR(CKR_TOKEN_NOT_RECOGNIZED),
    BAOKMS_CKR(CKR_TOKEN_WRITE_PROTECTED),
    BAOKMS_CKR(CKR_USER_ALREADY_LOGGED_IN),
    BAOKMS_CKR(CKR_USER_NOT_LOGGED_IN),
    BAOKMS_CKR(CKR_USER_PIN_NOT_INITIALIZED),
    BAOKMS_CKR(CKR_USER_TYPE_INVALID),
    BAOKMS_CKR(CKR_USER_ANOTHER_ALREADY_LOGGED_IN),
    BAOKMS_CKR(CKR_USER_TOO_MANY_TYPES),
    BAOKMS_CKR(CKR_CURVE_NOT_SUPPORTED),
    BAOKMS_CKR(CKR_BUFFER_TOO_SMALL),
    BAOKMS_CKR(CKR_CRYPTOKI_NOT_INITIALIZED),
    BAOKMS_CKR(CKR_CRYPTOKI_ALREADY_INITIALIZED),
    BAOKMS_CKR(CKR_FIPS_SELF_TEST_FAILED),
    BAOKMS_CKR(CKR_LIBRARY_LOAD_FAILED),
    BAOKMS_CKR(CKR_FUNCTION_REJECTED),
});

#undef BAOKMS_CKR

const NamedCode* FindName(unsigned long code) {
  const auto* found = std::ranges::find(kNames, code, &NamedCode::code);
  return found == kNames.end() ? nullptr : found;
}

unsigned long CodeOf(const Error& error) {
  return static_cast<std::uint32_t>(error.sys_errno());
}

bool IsNativeCall(const Error& error) {
  return error.what().starts_with("C_");
}

}  // namespace

std::string_view CkrName(unsigned long code) {
  if (const NamedCode* found = FindName(code)) {
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
    if (FindName(CodeOf(error)) == nullptr) {
      std::array<char, 2 * sizeof(std::uint32_t)> digits{};
      const auto end = std::to_chars(digits.begin(), digits.end(), CodeOf(error), 16).ptr;
      text.append(" (0x").append(digits.begin(), end).append(")");
    }
  }
  return text;
}

bool NeedsOperator(const Error& error) {
  if (!IsNativeCall(error)) {
    return error.code() == ErrorCode::kFailedPrecondition || error.code() == ErrorCode::kNotFound;
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

std::optional<ipc::PinAttemptEnd::Result> ClassifyLogin(const Error& error) {
  if (!IsNativeCall(error)) {
    return ipc::PinAttemptEnd::RESULT_NOT_TRIED;
  }
  switch (CodeOf(error)) {
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
    case CKR_PIN_EXPIRED:
    case CKR_PIN_LOCKED:
      return ipc::PinAttemptEnd::RESULT_REFUSED;
    // The session, the library or the token was lost before the PIN could be checked.
    case CKR_CRYPTOKI_NOT_INITIALIZED:
    case CKR_SESSION_CLOSED:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_DEVICE_REMOVED:
    case CKR_USER_PIN_NOT_INITIALIZED:
      return ipc::PinAttemptEnd::RESULT_NOT_TRIED;
    default:
      return std::nullopt;
  }
}

}  // namespace baokms::authagent
