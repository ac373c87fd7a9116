#include "authagent/pkcs11/key_selection.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "common/base/error.h"
#include "common/setup/pkcs11_uri.h"
#include "common/setup/value_rules.h"

namespace baokms::authagent {
namespace {

std::string PinFileOf(const char* source) {
  return std::string(source == nullptr ? std::string_view() : setup::PinSourcePath(source));
}

}  // namespace

Result<KeySelection> KeySelection::FromLabels(const std::string& module_path,
                                              const std::string& token_label,
                                              const std::string& key_label) {
  Uri uri(p11_kit_uri_new());
  if (uri == nullptr) {
    return Error(ErrorCode::kInternal, "no memory for a PKCS#11 URI");
  }
  CK_TOKEN_INFO& token = *p11_kit_uri_get_token_info(uri.get());
  BAOKMS_TRY(setup::CheckTokenLabel(token_label));
  BAOKMS_TRY(setup::CheckIdentifier(key_label));
  std::memset(token.label, ' ', sizeof token.label);
  std::ranges::copy(token_label, token.label);
  CK_ATTRIBUTE label = {CKA_LABEL, const_cast<char*>(key_label.data()), key_label.size()};
  if (p11_kit_uri_set_attribute(uri.get(), &label) != P11_KIT_URI_OK) {
    return Error(ErrorCode::kInternal, "p11-kit did not accept the key label");
  }
  KeySelection selection(std::move(uri));
  selection.module_path_ = module_path;
  return selection;
}

Result<KeySelection> KeySelection::FromUri(const std::string& text,
                                           const std::string& module_path) {
  BAOKMS_TRY(setup::CheckPkcs11Uri(text));
  Uri uri(p11_kit_uri_new());
  if (uri == nullptr ||
      p11_kit_uri_parse(text.c_str(), P11_KIT_URI_FOR_ANY, uri.get()) != P11_KIT_URI_OK ||
      p11_kit_uri_any_unrecognized(uri.get()) != 0) {
    return Error(ErrorCode::kInvalidArgument, "not a PKCS #11 URI that p11-kit understands");
  }
  p11_kit_uri_clear_attribute(uri.get(), CKA_CLASS);
  const char* const module = p11_kit_uri_get_module_path(uri.get());
  std::string pin_file = PinFileOf(p11_kit_uri_get_pin_source(uri.get()));
  KeySelection selection(std::move(uri));
  selection.module_path_ = module_path;
  if (module != nullptr) {
    selection.module_path_ = module;
    selection.module_key_ = "module-path of auth.cert.pkcs11.uri";
  }
  selection.pin_file_ = std::move(pin_file);
  return selection;
}

bool KeySelection::Matches(const CK_TOKEN_INFO& token) const {
  return p11_kit_uri_match_token_info(uri_.get(), &token) == 1;
}

std::pair<CK_ATTRIBUTE*, std::size_t> KeySelection::KeyAttributes() const {
  CK_ULONG count = 0;
  CK_ATTRIBUTE* attributes = p11_kit_uri_get_attributes(uri_.get(), &count);
  return {attributes, static_cast<std::size_t>(count)};
}

}  // namespace baokms::authagent
