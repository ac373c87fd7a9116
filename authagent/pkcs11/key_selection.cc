#include "authagent/pkcs11/key_selection.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#include "common/base/error.h"
#include "common/base/result.h"

namespace baokms::authagent {
namespace {

constexpr std::string_view kScheme = "pkcs11:";
constexpr std::string_view kFileScheme = "file://";

// Calls `check` with the name of each attribute of one part of a URI. False when it says so.
template <typename Check>
bool ForEachName(std::string_view part, char separator, Check check) {
  while (!part.empty()) {
    const std::size_t end = part.find(separator);
    const std::string_view attribute = part.substr(0, end);
    if (!check(attribute.substr(0, attribute.find('=')))) {
      return false;
    }
    part = end == std::string_view::npos ? std::string_view() : part.substr(end + 1);
  }
  return true;
}

// What p11-kit accepts and we do not.
Status CheckUriText(std::string_view uri) {
  if (!uri.starts_with(kScheme) || uri.size() == kScheme.size()) {
    return Error(ErrorCode::kInvalidArgument, "PKCS#11 URI empty or without its scheme");
  }
  if (uri.find("%00") != std::string_view::npos || uri.find('\0') != std::string_view::npos) {
    return Error(ErrorCode::kInvalidArgument, "PKCS#11 URI with a NUL");
  }
  const std::string_view body = uri.substr(kScheme.size());
  const std::size_t query = body.find('?');
  std::set<std::string_view> names;
  const auto first = [&names](std::string_view name) {
    return names.insert(name).second;
  };
  if (!ForEachName(body.substr(0, query), ';', first) ||
      (query != std::string_view::npos && !ForEachName(body.substr(query + 1), '&', first))) {
    return Error(ErrorCode::kInvalidArgument, "PKCS#11 URI with an attribute twice");
  }
  return {};
}

// A path, or a file URI of this host (RFC 7512, section 2.4).
Result<std::string> PinFileOf(const char* source) {
  if (source == nullptr) {
    return std::string();
  }
  std::string_view path = source;
  if (path.starts_with(kFileScheme)) {
    path.remove_prefix(kFileScheme.size());
  }
  if (!path.starts_with('/')) {
    return Error(ErrorCode::kInvalidArgument, "pin-source of the PKCS#11 URI is no absolute path");
  }
  return std::string(path);
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
  if (token_label.empty() || token_label.size() > sizeof token.label || key_label.empty()) {
    return Error(ErrorCode::kInvalidArgument, "token label longer than 32 bytes, or a label empty");
  }
  std::memset(token.label, ' ', sizeof token.label);
  std::ranges::copy(token_label, token.label);
  CK_ATTRIBUTE label = {CKA_LABEL, const_cast<char*>(key_label.data()), key_label.size()};
  if (p11_kit_uri_set_attribute(uri.get(), &label) != P11_KIT_URI_OK) {
    return Error(ErrorCode::kInternal, "key label not taken");
  }
  KeySelection selection(std::move(uri));
  selection.module_path_ = module_path;
  return selection;
}

Result<KeySelection> KeySelection::FromUri(const std::string& text,
                                           const std::string& module_path) {
  BAOKMS_TRY(CheckUriText(text));
  Uri uri(p11_kit_uri_new());
  if (uri == nullptr ||
      p11_kit_uri_parse(text.c_str(), P11_KIT_URI_FOR_ANY, uri.get()) != P11_KIT_URI_OK ||
      p11_kit_uri_any_unrecognized(uri.get()) != 0) {
    return Error(ErrorCode::kInvalidArgument, "not a PKCS#11 URI, or with unknown attributes");
  }
  if (p11_kit_uri_get_pin_value(uri.get()) != nullptr) {
    return Error(ErrorCode::kInvalidArgument, "PKCS#11 URI with pin-value: use a PIN file");
  }
  if (const CK_ATTRIBUTE* type = p11_kit_uri_get_attribute(uri.get(), CKA_CLASS);
      type != nullptr && (type->ulValueLen != sizeof(CK_OBJECT_CLASS) ||
                          *static_cast<const CK_OBJECT_CLASS*>(type->pValue) != CKO_PRIVATE_KEY)) {
    return Error(ErrorCode::kInvalidArgument, "PKCS#11 URI of something else than a private key");
  }
  p11_kit_uri_clear_attribute(uri.get(), CKA_CLASS);
  const char* const module = p11_kit_uri_get_module_path(uri.get());
  if (p11_kit_uri_get_module_name(uri.get()) != nullptr) {
    return Error(ErrorCode::kInvalidArgument, "PKCS#11 URI with module-name: use module-path");
  }
  std::string pin_file = BAOKMS_TRY(PinFileOf(p11_kit_uri_get_pin_source(uri.get())));
  KeySelection selection(std::move(uri));
  selection.module_path_ = module == nullptr ? module_path : module;
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
