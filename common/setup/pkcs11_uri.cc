#include "common/setup/pkcs11_uri.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/setup/limits.h"
#include "common/setup/require.h"

namespace baokms::setup {
namespace {

constexpr std::string_view kScheme = "pkcs11:";

enum class Part { kPath, kQuery };

enum class Form { kText, kPrivate, kNumber, kVersion, kAbsolutePath, kFileOrPath };

struct Attribute {
  std::string_view name;
  Part part;
  Form form;
  std::size_t max;  // bytes after decoding; 0: limited by the length of the URI only
};

// RFC 7512, section 2.3, without module-name (module-path is unambiguous) and pin-value.
constexpr std::array<Attribute, 15> kAttributes{{
    {"token", Part::kPath, Form::kText, kMaxTokenLabel},
    {"manufacturer", Part::kPath, Form::kText, kMaxTokenLabel},
    {"serial", Part::kPath, Form::kText, kMaxTokenSerial},
    {"model", Part::kPath, Form::kText, kMaxTokenSerial},
    {"library-manufacturer", Part::kPath, Form::kText, kMaxTokenLabel},
    {"library-description", Part::kPath, Form::kText, kMaxTokenLabel},
    {"library-version", Part::kPath, Form::kVersion, 0},
    {"object", Part::kPath, Form::kText, 0},
    {"type", Part::kPath, Form::kPrivate, 0},
    {"id", Part::kPath, Form::kText, 0},
    {"slot-id", Part::kPath, Form::kNumber, 0},
    {"slot-manufacturer", Part::kPath, Form::kText, kMaxTokenLabel},
    {"slot-description", Part::kPath, Form::kText, kMaxSlotDescription},
    {"module-path", Part::kQuery, Form::kAbsolutePath, 0},
    {"pin-source", Part::kQuery, Form::kFileOrPath, 0},
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
    return IsNumber(number, 3) && std::stoi(std::string(number)) <= 255;
  };
  return is_byte(text.substr(0, dot)) &&
         (dot == std::string_view::npos || is_byte(text.substr(dot + 1)));
}

bool HasForm(std::string_view value, Form form) {
  switch (form) {
    case Form::kText:
      return true;
    case Form::kPrivate:
      return value == "private";
    case Form::kNumber:
      return IsNumber(value, 9);
    case Form::kVersion:
      return IsVersion(value);
    case Form::kAbsolutePath:
      return value.starts_with('/');
    case Form::kFileOrPath:
      return value.starts_with('/') || value.starts_with("file:///");
  }
  return false;
}

Status CheckAttribute(std::string_view name, std::string_view text, Part part) {
  if (name == "pin-value") {
    return Invalid("must not contain the PIN: use pin-source or auth.cert.pkcs11.pinFile");
  }
  const auto* known = std::ranges::find_if(kAttributes, [&](const Attribute& attribute) {
    return attribute.name == name && attribute.part == part;
  });
  if (known == kAttributes.end()) {
    return Invalid("contains an attribute that is unknown or in the wrong place (RFC 7512)");
  }
  const auto value = Decode(text);
  if (!value) {
    return Invalid("contains a \"%\" that is not followed by two hexadecimal digits, or a NUL");
  }
  if (!HasForm(*value, known->form) || (known->max != 0 && value->size() > known->max)) {
    return Invalid("contains an attribute with a value that is too long or not allowed");
  }
  return {};
}

// Calls `visit` with name and value of each attribute of one component until it fails.
template <typename Visit>
Status ForEach(std::string_view part, char separator, Visit visit) {
  while (!part.empty()) {
    const std::size_t end = part.find(separator);
    const std::string_view attribute = part.substr(0, end);
    const std::size_t equals = attribute.find('=');
    if (equals == std::string_view::npos) {
      return Invalid("must be a PKCS #11 URI such as pkcs11:token=NAME;object=NAME");
    }
    BAOKMS_TRY(visit(attribute.substr(0, equals), attribute.substr(equals + 1)));
    part = end == std::string_view::npos ? std::string_view() : part.substr(end + 1);
  }
  return {};
}

template <typename Visit>
Status ForEachAttribute(std::string_view uri, Visit visit) {
  const std::string_view body = uri.substr(std::min(kScheme.size(), uri.size()));
  const std::size_t question = body.find('?');
  BAOKMS_TRY(ForEach(body.substr(0, question), ';',
                     [&](auto name, auto value) { return visit(name, value, Part::kPath); }));
  return question == std::string_view::npos
             ? Status()
             : ForEach(body.substr(question + 1), '&',
                       [&](auto name, auto value) { return visit(name, value, Part::kQuery); });
}

}  // namespace

Status CheckPkcs11Uri(std::string_view uri) {
  const bool visible = std::ranges::all_of(uri, [](char c) { return c > 0x20 && c < 0x7f; });
  if (!uri.starts_with(kScheme) || uri.size() == kScheme.size() || !visible) {
    return Invalid("must be a PKCS #11 URI such as pkcs11:token=NAME;object=NAME");
  }
  std::set<std::string_view> seen;
  return ForEachAttribute(uri, [&](std::string_view name, std::string_view value, Part part) {
    return seen.insert(name).second ? CheckAttribute(name, value, part)
                                    : Status(Invalid("contains an attribute twice"));
  });
}

bool HasUriAttribute(std::string_view uri, std::string_view name) {
  bool found = false;
  const Status visited =
      ForEachAttribute(uri, [&](std::string_view attribute, std::string_view, Part) {
        found = found || attribute == name;
        return Status();
      });
  return visited && found;
}

}  // namespace baokms::setup
