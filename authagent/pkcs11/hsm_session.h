// One session with one token of a PKCS#11 module, and the private key in it. Every call goes into
// the vendor's code and may hang: one thread alone uses this, and never the one that has the loop.
// Nothing is repaired here: after a failure the process is to end.

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

// What the key is and what its token will do with it.
struct HsmKeyFacts {
  KeyKind kind = KeyKind::kRsa;
  bool rsa_pkcs1 = false;  // CKM_RSA_PKCS
  bool rsa_pss = false;    // CKM_RSA_PKCS_PSS
};

class HsmSession final : public SigningKey {
 public:
  // Loads the module, initialises it and opens a read-only session with the selected token. Errors
  // as in module_error.h; kNotFound: no token matches, kFailedPrecondition: more than one does.
  static Result<std::unique_ptr<HsmSession>> Open(const KeySelection& selection);

  HsmSession(const HsmSession&) = delete;
  HsmSession& operator=(const HsmSession&) = delete;

  // Ends the session and gives the module back.
  ~HsmSession() override;

  // C_Login as the token's user: one attempt. A token that is logged in already is a success.
  Status Login(std::span<const std::uint8_t> pin);

  // Finds the key and reads its properties, once, after Login(). kNotFound: no key matches.
  // kFailedPrecondition: more than one does, or a property of the key or of the token makes it
  // unusable for TLS, which only a change on the token can mend. kUnavailable: a native call
  // failed.
  Result<HsmKeyFacts> FindKey(const KeySelection& selection);

  // C_Sign, after FindKey().
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
  // Nothing when the token does not say.
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
