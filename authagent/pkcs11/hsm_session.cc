#include "authagent/pkcs11/hsm_session.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include <p11-kit/p11-kit.h>

#include "authagent/pkcs11/module_error.h"
#include "common/base/deleter.h"
#include "common/base/error.h"

namespace baokms::authagent {
namespace {

// Maximum number of slots of one module. Network HSMs with hundreds of partitions exist.
constexpr CK_ULONG kMaxSlots = 1024;

// What PKCS#11 and PKCS#1 call a digest.
struct DigestNumbers {
  CK_MECHANISM_TYPE hash;
  CK_RSA_PKCS_MGF_TYPE mask;
  std::uint8_t size;       // bytes
  std::uint8_t algorithm;  // OID 2.16.840.1.101.3.4.2.<algorithm>
};

DigestNumbers NumbersOf(DigestKind digest) {
  switch (digest) {
    case DigestKind::kSha384:
      return {CKM_SHA384, CKG_MGF1_SHA384, 48, 2};
    case DigestKind::kSha512:
      return {CKM_SHA512, CKG_MGF1_SHA512, 64, 3};
    case DigestKind::kSha256:
      break;
  }
  return {CKM_SHA256, CKG_MGF1_SHA256, 32, 1};
}

// Returns the DER encoding of DigestInfo, which CKM_RSA_PKCS pads and signs (RFC 8017, section 9.2,
// note 1): SEQUENCE { SEQUENCE { OID, NULL }, OCTET STRING }. Nothing is parsed.
std::vector<std::uint8_t> DigestInfo(const DigestNumbers& numbers,
                                     std::span<const std::uint8_t> digest) {
  std::vector<std::uint8_t> info = {0x30, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                    0x65, 0x03, 0x04, 0x02, 0x00, 0x05, 0x00, 0x04, 0x00};
  info[1] = static_cast<std::uint8_t>(info.size() - 2 + numbers.size);
  info[14] = numbers.algorithm;
  info[18] = numbers.size;
  info.insert(info.end(), digest.begin(), digest.end());
  return info;
}

Status Check(Literal function, CK_RV result) {
  return result == CKR_OK ? Status() : Status(ModuleError(function, result));
}

// Finds out why p11-kit did not load a module: it says so only in the loader's own words.
Error LoadError(const std::string& path) {
  const std::unique_ptr<void, Deleter<&::dlclose>> library(
      ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (library == nullptr) {
    return {ErrorCode::kNotFound,
            "PKCS#11 module cannot be loaded: the file is not a shared library of this machine, or "
            "a library that it needs is missing; check auth.cert.pkcs11.modulePath with ldd"};
  }
  if (::dlsym(library.get(), "C_GetFunctionList") == nullptr) {
    return {
        ErrorCode::kNotFound,
        "PKCS#11 module cannot be loaded: the shared library is not a PKCS#11 module, it has no "
        "C_GetFunctionList; correct auth.cert.pkcs11.modulePath"};
  }
  return {ErrorCode::kNotFound,
          "PKCS#11 module cannot be loaded: its C_GetFunctionList failed; check the module's own "
          "configuration and auth.cert.pkcs11.environment"};
}

}  // namespace

void HsmSession::ReleaseModule::operator()(CK_FUNCTION_LIST* module) const {
  // The result is irrelevant: the kernel releases whatever is left.
  (void)p11_kit_module_finalize(module);
  p11_kit_module_release(module);
}

// The loader is given the descriptor that was checked, so that nobody can exchange the file in
// between.
Result<std::unique_ptr<HsmSession>> HsmSession::Open(int module, const KeySelection& selection) {
  const std::string path = "/proc/self/fd/" + std::to_string(module);
  CK_FUNCTION_LIST* loaded = p11_kit_module_load(path.c_str(), P11_KIT_MODULE_UNMANAGED);
  if (loaded == nullptr) {
    return LoadError(path);
  }
  if (const CK_RV result = p11_kit_module_initialize(loaded); result != CKR_OK) {
    p11_kit_module_release(loaded);
    return ModuleError("C_Initialize", result);
  }
  std::unique_ptr<HsmSession> session(new HsmSession(Module(loaded)));
  session->slot_ = BAOKMS_TRY(session->FindSlot(selection));
  BAOKMS_TRY(Check("C_OpenSession",
                   session->module_->C_OpenSession(session->slot_, CKF_SERIAL_SESSION, nullptr,
                                                   nullptr, &session->session_)));
  return session;
}

HsmSession::~HsmSession() {
  if (session_ != 0) {
    (void)module_->C_CloseSession(session_);
  }
}

Result<CK_SLOT_ID> HsmSession::FindSlot(const KeySelection& selection) {
  CK_ULONG count = 0;
  BAOKMS_TRY(Check("C_GetSlotList", module_->C_GetSlotList(CK_TRUE, nullptr, &count)));
  if (count > kMaxSlots) {
    return Error(ErrorCode::kResourceExhausted, "module has more than 1024 slots");
  }
  std::vector<CK_SLOT_ID> slots(count);
  BAOKMS_TRY(Check("C_GetSlotList", module_->C_GetSlotList(CK_TRUE, slots.data(), &count)));
  slots.resize(std::min<std::size_t>(count, slots.size()));
  std::optional<CK_SLOT_ID> found;
  for (const CK_SLOT_ID slot : slots) {
    CK_TOKEN_INFO token{};
    if (module_->C_GetTokenInfo(slot, &token) != CKR_OK || !selection.Matches(token)) {
      continue;  // another token's trouble is not ours
    }
    if (found) {
      return Error(ErrorCode::kFailedPrecondition, "more than one token matches");
    }
    found = slot;
  }
  if (!found) {
    return Error(
        ErrorCode::kNotFound,
        "no token matches auth.cert.pkcs11.tokenLabel, or the token attributes of its uri; "
        "correct them, or make the token visible to the module");
  }
  return *found;
}

Status HsmSession::Login(std::span<const std::uint8_t> pin) {
  // C_Login takes a non-const pointer but does not modify the PIN.
  const CK_RV result = module_->C_Login(session_, CKU_USER, const_cast<std::uint8_t*>(pin.data()),
                                        static_cast<CK_ULONG>(pin.size()));
  return result == CKR_USER_ALREADY_LOGGED_IN ? Status() : Check("C_Login", result);
}

Result<HsmKeyFacts> HsmSession::FindKey(const KeySelection& selection) {
  key_ = BAOKMS_TRY(FindPrivateKey(selection));
  HsmKeyFacts facts;
  facts.kind = BAOKMS_TRY(ReadKeyKind());
  facts.rsa_pkcs1 = facts.kind == KeyKind::kRsa && CanSign(CKM_RSA_PKCS);
  facts.rsa_pss = facts.kind == KeyKind::kRsa && CanSign(CKM_RSA_PKCS_PSS);
  BAOKMS_TRY(CheckKeyFlags());
  if (facts.kind == KeyKind::kRsa && !facts.rsa_pkcs1 && !facts.rsa_pss) {
    return Error(ErrorCode::kFailedPrecondition,
                 "the token signs with neither CKM_RSA_PKCS_PSS nor CKM_RSA_PKCS");
  }
  if (facts.kind == KeyKind::kEc && !CanSign(CKM_ECDSA)) {
    return Error(ErrorCode::kFailedPrecondition, "the token does not sign with CKM_ECDSA");
  }
  if (facts.kind == KeyKind::kEd25519 && !CanSign(CKM_EDDSA)) {
    return Error(ErrorCode::kFailedPrecondition, "the token does not sign with CKM_EDDSA");
  }
  return facts;
}

Result<CK_OBJECT_HANDLE> HsmSession::FindPrivateKey(const KeySelection& selection) {
  CK_OBJECT_CLASS object_class = CKO_PRIVATE_KEY;
  std::vector<CK_ATTRIBUTE> pattern = {{CKA_CLASS, &object_class, sizeof object_class}};
  const auto [attributes, count] = selection.KeyAttributes();
  pattern.insert(pattern.end(), attributes, attributes + count);
  BAOKMS_TRY(Check("C_FindObjectsInit",
                   module_->C_FindObjectsInit(session_, pattern.data(), pattern.size())));
  std::array<CK_OBJECT_HANDLE, 2> found{};
  CK_ULONG number = 0;
  const CK_RV searched = module_->C_FindObjects(session_, found.data(), found.size(), &number);
  BAOKMS_TRY(Check("C_FindObjectsFinal", module_->C_FindObjectsFinal(session_)));
  BAOKMS_TRY(Check("C_FindObjects", searched));
  if (number == 0) {
    return Error(ErrorCode::kNotFound,
                 "no private key matches auth.cert.pkcs11.keyLabel, or object and id of its uri; "
                 "correct them, or create the key on the token");
  }
  if (number > 1) {
    return Error(ErrorCode::kFailedPrecondition, "more than one private key matches");
  }
  return found[0];
}

Result<KeyKind> HsmSession::ReadKeyKind() {
  CK_KEY_TYPE type = 0;
  CK_ATTRIBUTE wanted = {CKA_KEY_TYPE, &type, sizeof type};
  BAOKMS_TRY(
      Check("C_GetAttributeValue", module_->C_GetAttributeValue(session_, key_, &wanted, 1)));
  switch (type) {
    case CKK_RSA:
      return KeyKind::kRsa;
    case CKK_EC_EDWARDS:
      return KeyKind::kEd25519;
    case CKK_EC:
      return KeyKind::kEc;
    default:
      return Error(ErrorCode::kFailedPrecondition, "the private key is not RSA, EC or Ed25519");
  }
}

// A token need not have these attributes; a missing one forbids nothing.
Status HsmSession::CheckKeyFlags() {
  if (ReadFlag(CKA_ALWAYS_AUTHENTICATE).value_or(false)) {
    return Error(ErrorCode::kFailedPrecondition,
                 "the private key has CKA_ALWAYS_AUTHENTICATE: the token wants the PIN for every "
                 "signature; use a key without it");
  }
  if (!ReadFlag(CKA_SIGN).value_or(true)) {
    return Error(ErrorCode::kFailedPrecondition,
                 "the private key must not sign (CKA_SIGN is false); use a key that may");
  }
  return {};
}

std::optional<bool> HsmSession::ReadFlag(CK_ATTRIBUTE_TYPE attribute) {
  CK_BBOOL flag = CK_FALSE;
  CK_ATTRIBUTE wanted = {attribute, &flag, sizeof flag};
  if (module_->C_GetAttributeValue(session_, key_, &wanted, 1) != CKR_OK ||
      wanted.ulValueLen != sizeof flag) {
    return std::nullopt;
  }
  return flag != CK_FALSE;
}

bool HsmSession::CanSign(CK_MECHANISM_TYPE mechanism) {
  CK_MECHANISM_INFO info{};
  return module_->C_GetMechanismInfo(slot_, mechanism, &info) == CKR_OK &&
         (info.flags & CKF_SIGN) != 0;
}

Result<std::vector<std::uint8_t>> HsmSession::Sign(const SignatureRequest& request) {
  const std::span<const std::uint8_t> input = request.input;
  const DigestNumbers numbers = NumbersOf(request.digest);
  switch (request.scheme) {
    case SignatureScheme::kRsaPkcs1:
      return SignWith({CKM_RSA_PKCS, nullptr, 0}, DigestInfo(numbers, input));
    case SignatureScheme::kRsaPss: {
      CK_RSA_PKCS_PSS_PARAMS params = {numbers.hash, numbers.mask, numbers.size};
      return SignWith({CKM_RSA_PKCS_PSS, &params, sizeof params}, input);
    }
    case SignatureScheme::kEcdsa:
      return SignWith({CKM_ECDSA, nullptr, 0}, input);
    case SignatureScheme::kEd25519:
      break;
  }
  return SignWith({CKM_EDDSA, nullptr, 0}, input);
}

Result<std::vector<std::uint8_t>> HsmSession::SignWith(CK_MECHANISM mechanism,
                                                       std::span<const std::uint8_t> input) {
  BAOKMS_TRY(Check("C_SignInit", module_->C_SignInit(session_, &mechanism, key_)));
  std::vector<std::uint8_t> signature(kMaxSignature);
  CK_ULONG size = signature.size();
  BAOKMS_TRY(Check("C_Sign", module_->C_Sign(session_, const_cast<std::uint8_t*>(input.data()),
                                             input.size(), signature.data(), &size)));
  signature.resize(std::min<std::size_t>(size, signature.size()));
  return signature;
}

}  // namespace baokms::authagent
