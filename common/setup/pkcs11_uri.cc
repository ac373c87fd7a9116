#include "common/setup/pkcs11_uri.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "common/base/error.h"
#include "common/setup/limits.h"
#include "common/setup/require.h"

namespace baokms::setup {
namespace {

constexpr std::string_view kScheme = "pkcs11:";

constexpr Literal kNotAUri = "must be a PKCS #11 URI such as pkcs11:token=NAME;object=NAME";

enum class Component { kPath, kQuery };

enum class Form { kText, kPrivate, kNumber, kVersion, kAbsolutePath, kFileOrPath };

struct Attribute {
  std::string_view name;
  Component component;
  Form form;
  std::size_t max;  // bytes after decoding; 0: limited by the length of the URI only
};

// RFC 7512, section 2.3, without module-name (module-path is unambiguous) and pin-value.
constexpr std::array<Attribute, 15> kAttributes{{
    {"token", Component::kPath, Form::kText, kMaxTokenLabel},
    {"manufacturer", Component::kPath, Form::kText, kMaxTokenLabel},
    {"serial", Component::kPath, Form::kText, kMaxTokenSerial},
    {"model", Component::kPath, Form::kText, kMaxTokenSerial},
    {"library-manufacturer", Component::kPath, Form::kText, kMaxTokenLabel},
    {"library-description", Component::kPath, Form::kText, kMaxTokenLabel},
    {"library-version", Component::kPath, Form::kVersion, 0},
    {"object", Component::kPath, Form::kText, 0},
    {"type", Component::kPath, Form::kPrivate, 0},
    {"id", Component::kPath, Form::kText, 0},
    {"slot-id", Component::kPath, Form::kNumber, 0},
    {"slot-manufacturer", Component::kPath, Form::kText, kMaxTokenLabel},
    {"slot-description", Component::kPath, Form::kText, kMaxSlotDescription},
    {"module-path", Component::kQuery, Form::kAbsolutePath, 0},
    {"pin-source", Component::kQuery, Form::kFileOrPath, 0},
}};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Nothing for a "%" that is not followed by two hexadecimal digits, and for an encoded NUL.
std::optional<std::string> Decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0 || high + low == 0) {
      return std::nullopt;
    }
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

bool IsNumber(std::string_view text, std::size_t max_digits) {
  return !text.empty() && text.size() <= max_digits &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// "major" or "major.minor", each a CK_BYTE.
bool IsVersion(std::string_view text) {
  const std::size_t dot = text.find('.');
  const auto is_byte = [](std::string_view number) {
    std::uint8_t value = 0;
    return IsNumber(number, 3) &&
           std::from_chars(number.begin(), number.end(), value).ec == std::errc();
  };
  return is_byte(text.substr(0, dot)) &&
         (dot == std::string_view::npos || is_byte(text.substr(dot + 1)));
}

// Returns whether the text begins with `lower`, whatever the case of its letters.
bool BeginsWith(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() &&
         std::ranges::equal(text.substr(0, lower.size()), lower, [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a | 0x20) : a) == b;
         });
}

// The forms other than kText belong to one attribute each.
Status CheckForm(std::string_view value, Form form) {
  switch (form) {
    case Form::kText:
      break;
    case Form::kPrivate:
      return Require(value == "private", "must not have a \"type\" other than private");
    case Form::kNumber:
      return Require(IsNumber(value, 9), "must have a \"slot-id\" of 1 to 9 digits");
    case Form::kVersion:
      return Require(IsVersion(value), "must have a \"library-version\" such as 3.1");
    case Form::kAbsolutePath:
      return Require(value.starts_with('/'), "must have an absolute path as \"module-path\"");
    case Form::kFileOrPath:
      return Require(!PinSourcePath(value).empty(),
                     "must have an absolute path or a file URI such as file:/etc/token_pin as "
                     "\"pin-source\"");
  }
  return {};
}

struct NamedValue {
  std::string_view name;
  std::string_view value;
  Component component;
};

Status CheckAttribute(const NamedValue& given) {
  if (given.name == "pin-value") {
    return Invalid("must not contain the PIN: use pin-source or auth.cert.pkcs11.pinFile");
  }
  const auto* known = std::ranges::find_if(kAttributes, [&](const Attribute& attribute) {
    return attribute.name == given.name && attribute.component == given.component;
  });
  if (known == kAttributes.end()) {
    return Invalid("contains an attribute that is unknown or in the wrong place (RFC 7512)");
  }
  const auto value = Decode(given.value);
  if (!value) {
    return Invalid("contains a \"%\" that is not followed by two hexadecimal digits, or a NUL");
  }
  BAOKMS_TRY(Require(known->max == 0 || value->size() <= known->max,
                     "must not have a value that is longer than PKCS #11 allows: 16 bytes for "
                     "\"serial\" and \"model\", 64 for \"slot-description\", 32 for all others"));
  return CheckForm(*value, known->form);
}

// Returns the attributes in the order of the URI; kInvalidArgument: one has no "=".
Result<std::vector<NamedValue>> Split(std::string_view uri) {
  std::string_view rest = uri.substr(std::min(kScheme.size(), uri.size()));
  std::vector<NamedValue> attributes;
  Component component = Component::kPath;
  while (!rest.empty()) {
    const std::size_t end = rest.find_first_of(component == Component::kPath ? ";?" : "&");
    const std::string_view attribute = rest.substr(0, end);
    const bool query_follows = end != std::string_view::npos && rest[end] == '?';
    const std::size_t equals = attribute.find('=');
    if (equals != std::string_view::npos) {
      attributes.push_back({attribute.substr(0, equals), attribute.substr(equals + 1), component});
    } else if (!attribute.empty() || !query_follows) {
      return Invalid(kNotAUri);
    }
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    component = query_follows ? Component::kQuery : component;
  }
  return attributes;
}

}  // namespace

Status CheckPkcs11Uri(std::string_view uri) {
  const bool visible = std::ranges::all_of(uri, [](char c) { return c > 0x20 && c < 0x7f; });
  if (!BeginsWith(uri, kScheme) || uri.size() == kScheme.size() || !visible) {
    return Invalid(kNotAUri);
  }
  std::set<std::string_view> seen;
  for (const NamedValue& attribute : BAOKMS_TRY(Split(uri))) {
    if (!seen.insert(attribute.name).second) {
      return Invalid("contains an attribute twice");
    }
    BAOKMS_TRY(CheckAttribute(attribute));
  }
  return {};
}

std::string_view PinSourcePath(std::string_view source) {
  constexpr std::string_view kFile = "file:";
  if (BeginsWith(source, kFile)) {
    source.remove_prefix(kFile.size());
    for (const std::string_view host : {"//localhost/", "///"}) {
      source.remove_prefix(BeginsWith(source, host) ? host.size() - 1 : 0);
    }
    if (source.starts_with("//")) {
      return {};  // another host
    }
  }
  return source.starts_with('/') ? source : std::string_view();
}

std::optional<std::string> UriAttribute(std::string_view uri, std::string_view name) {
  const Result<std::vector<NamedValue>> attributes = Split(uri);
  if (!attributes) {
    return std::nullopt;
  }
  const auto found = std::ranges::find(*attributes, name, &NamedValue::name);
  return found == attributes->end() ? std::nullopt : Decode(found->value);
}

}  // namespace baokms::setup
