// Selects a module, a token on it and a private key on the token, by labels or by a PKCS#11 URI
// (RFC 7512). It calls no module; its users compare it with what a module reports.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#include "common/base/deleter.h"
#include "common/base/error.h"
#include "common/base/result.h"

namespace baokms::authagent {

class KeySelection final {
 public:
  // Selects the token and the key pair with these labels, which common/setup/value_rules.h accepts.
  static Result<KeySelection> FromLabels(const std::string& module_path,
                                         const std::string& token_label,
                                         const std::string& key_label);

  // Selects by a URI that common/setup/pkcs11_uri.h accepts. `module_path` is used if the URI has
  // no module-path.
  static Result<KeySelection> FromUri(const std::string& uri, const std::string& module_path);

  [[nodiscard]] const std::string& module_path() const { return module_path_; }

  // Returns the part of the configuration that names the module.
  [[nodiscard]] Literal module_key() const { return module_key_; }

  // Returns the file that pin-source names; empty without pin-source.
  [[nodiscard]] const std::string& pin_file() const { return pin_file_; }

  // Returns whether the selection includes this token.
  [[nodiscard]] bool Matches(const CK_TOKEN_INFO& token) const;

  // Returns the attributes that the private key must have besides its class (CKA_LABEL, CKA_ID).
  // Borrowed from this object.
  [[nodiscard]] std::pair<CK_ATTRIBUTE*, std::size_t> KeyAttributes() const;

 private:
  using Uri = std::unique_ptr<P11KitUri, Deleter<p11_kit_uri_free>>;

  explicit KeySelection(Uri uri) : uri_(std::move(uri)) {}

  Uri uri_;
  std::string module_path_;
  Literal module_key_ = "auth.cert.pkcs11.modulePath";
  std::string pin_file_;
};

}  // namespace baokms::authagent
