// One session with one token of a PKCS#11 module, and the private key in it. Every call enters the
// vendor's code and may hang, so a single thread uses it, which is never the loop's thread. Nothing
// is recovered here: after a failure of a native call the process must end.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <p11-kit/pkcs11.h>

#include "authagent/pkcs11/key_selection.h"
#include "authagent/pkcs11/signing_key.h"
#include "common/base/result.h"

namespace baokms::authagent {

// The type of the key, and the mechanisms that its token supports.
struct HsmKeyFacts {
  KeyKind kind = KeyKind::kRsa;
  bool rsa_pkcs1 = false;  // CKM_RSA_PKCS
  bool rsa_pss = false;    // CKM_RSA_PKCS_PSS
};

class HsmSession final : public SigningKey {
 public:
  // Loads the module from the open file `module`, initialises it and opens a read-only session with
  // the selected token. Errors as in module_error.h; kNotFound: the module cannot be loaded, or no
  // token matches; kFailedPrecondition: more than one does. A failure leaves the module unloaded.
  static Result<std::unique_ptr<HsmSession>> Open(int module, const KeySelection& selection);

  HsmSession(const HsmSession&) = delete;
  HsmSession& operator=(const HsmSession&) = delete;

  // Closes the session and releases the module.
  ~HsmSession() override;

  // Calls C_Login for the token's user once. If the user is logged in already, this is a success.
  Status Login(std::span<const std::uint8_t> pin);

  // Finds the key and reads its properties. Call it after Login(), and again only after kNotFound:
  // no key matches now. kFailedPrecondition: more than one does, or a property of the key or of the
  // token makes it unusable for TLS, which only a change on the token can correct. kUnavailable: a
  // native call failed.
  Result<HsmKeyFacts> FindKey(const KeySelection& selection);

  // Calls C_Sign. Call it after FindKey().
  Result<std::vector<std::uint8_t>> Sign(const SignatureRequest& request) override;

 private:
  struct ReleaseModule {
    void operator()(CK_FUNCTION_LIST* module) const;
  };

  using Module = std::unique_ptr<CK_FUNCTION_LIST, ReleaseModule>;

  explicit HsmSession(Module module) : module_(std::move(module)) {}

  Result<CK_SLOT_ID> FindSlot(const KeySelection& selection);
  Result<CK_OBJECT_HANDLE> FindPrivateKey(const KeySelection& selection);
  Result<KeyKind> ReadKeyKind();
  Status CheckKeyFlags();
  // Returns nothing when the token does not state the attribute.
  [[nodiscard]] std::optional<bool> ReadFlag(CK_ATTRIBUTE_TYPE attribute);
  [[nodiscard]] bool CanSign(CK_MECHANISM_TYPE mechanism);
  Result<std::vector<std::uint8_t>> SignWith(CK_MECHANISM mechanism,
                                             std::span<const std::uint8_t> input);

  Module module_;
  CK_SLOT_ID slot_ = 0;
  CK_SESSION_HANDLE session_ = 0;
  CK_OBJECT_HANDLE key_ = 0;
};

}  // namespace baokms::authagent
