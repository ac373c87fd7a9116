// Which module, which token on it and which private key on that: by labels, or by a PKCS#11 URI
// (RFC 7512). It asks no module; what it says is matched by others.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#include "common/base/deleter.h"
#include "common/base/result.h"

namespace baokms::authagent {

class KeySelection final {
 public:
  // The token and the key pair with these labels, which common/setup/value_rules.h accepts.
  static Result<KeySelection> FromLabels(const std::string& module_path,
                                         const std::string& token_label,
                                         const std::string& key_label);

  // A URI that common/setup/pkcs11_uri.h accepts. `module_path` counts where it has no module-path.
  static Result<KeySelection> FromUri(const std::string& uri, const std::string& module_path);

  [[nodiscard]] const std::string& module_path() const { return module_path_; }

  // The file that pin-source names; empty without one.
  [[nodiscard]] const std::string& pin_file() const { return pin_file_; }

  // Whether the selection is of this token.
  [[nodiscard]] bool Matches(const CK_TOKEN_INFO& token) const;

  // CKA_LABEL, CKA_ID: what the private key must have besides its class. Borrowed.
  [[nodiscard]] std::pair<CK_ATTRIBUTE*, std::size_t> KeyAttributes() const;

 private:
  using Uri = std::unique_ptr<P11KitUri, Deleter<p11_kit_uri_free>>;

  explicit KeySelection(Uri uri) : uri_(std::move(uri)) {}

  Uri uri_;
  std::string module_path_;
  std::string pin_file_;
};

}  // namespace baokms::authagent
