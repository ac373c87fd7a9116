// What a module's return values are called, and what they say about a PIN.

#include "authagent/pkcs11/module_error.h"

#include <optional>

#include <gtest/gtest.h>
#include <p11-kit/pkcs11.h>

#include "common/base/error.h"
#include "proto/ipc.pb.h"

namespace baokms::authagent {
namespace {

TEST(ModuleErrorTest, NamesReturnValues) {
  EXPECT_EQ(CkrName(CKR_OK), "CKR_OK");
  EXPECT_EQ(CkrName(CKR_PIN_INCORRECT), "CKR_PIN_INCORRECT");
  EXPECT_EQ(CkrName(CKR_SESSION_HANDLE_INVALID), "CKR_SESSION_HANDLE_INVALID");
  EXPECT_EQ(CkrName(CKR_DEVICE_ERROR), "CKR_DEVICE_ERROR");
  EXPECT_EQ(CkrName(CKR_VENDOR_DEFINED + 17), "CKR_VENDOR_DEFINED");
  EXPECT_EQ(CkrName(0x7fff'0000), "CKR_UNKNOWN");
}

TEST(ModuleErrorTest, DescribesNativeCallsByNameAndOthersByText) {
  EXPECT_EQ(Describe(ModuleError("C_Login", CKR_PIN_LOCKED)), "C_Login: CKR_PIN_LOCKED");
  EXPECT_EQ(Describe(ModuleError("C_Sign", CKR_VENDOR_DEFINED + 1)),
            "C_Sign: CKR_VENDOR_DEFINED (0x80000001)");
  EXPECT_EQ(Describe(Error(ErrorCode::kNotFound, "no token matches")), "no token matches");
}

TEST(ModuleErrorTest, TellsARefusedPinFromOneThatWasNotLookedAt) {
  for (const unsigned long code :
       {CKR_PIN_INCORRECT, CKR_PIN_LOCKED, CKR_PIN_EXPIRED, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE}) {
    EXPECT_EQ(ClassifyLogin(ModuleError("C_Login", code)), ipc::PinAttemptEnd::RESULT_REFUSED)
        << CkrName(code);
  }
  for (const unsigned long code :
       {CKR_SESSION_HANDLE_INVALID, CKR_TOKEN_NOT_PRESENT, CKR_DEVICE_REMOVED}) {
    EXPECT_EQ(ClassifyLogin(ModuleError("C_Login", code)), ipc::PinAttemptEnd::RESULT_NOT_TRIED)
        << CkrName(code);
  }
}

// A module that answers so may have counted the PIN.
TEST(ModuleErrorTest, TellsWhatAnOperatorMustChangeFromPassingTrouble) {
  for (const unsigned long code : {CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_MECHANISM_INVALID,
                                   CKR_KEY_TYPE_INCONSISTENT, CKR_USER_NOT_LOGGED_IN}) {
    EXPECT_TRUE(NeedsOperator(ModuleError("C_SignInit", code))) << CkrName(code);
  }
  for (const unsigned long code : {CKR_DEVICE_ERROR, CKR_DEVICE_REMOVED, CKR_GENERAL_ERROR,
                                   CKR_SESSION_HANDLE_INVALID, CKR_HOST_MEMORY}) {
    EXPECT_FALSE(NeedsOperator(ModuleError("C_SignInit", code))) << CkrName(code);
  }
  EXPECT_TRUE(NeedsOperator(Error(ErrorCode::kFailedPrecondition, "more than one key")));
  EXPECT_TRUE(NeedsOperator(Error(ErrorCode::kNotFound, "no private key matches")));
  EXPECT_FALSE(NeedsOperator(Error(ErrorCode::kResourceExhausted, "too many slots")));
}

TEST(ModuleErrorTest, TrustsNoOtherAnswer) {
  for (const unsigned long code : {CKR_DEVICE_ERROR, CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED,
                                   CKR_VENDOR_DEFINED + 5, 0x7fff'0000UL}) {
    EXPECT_EQ(ClassifyLogin(ModuleError("C_Login", code)), std::nullopt) << CkrName(code);
  }
}

}  // namespace
}  // namespace baokms::authagent
