#include "common/contract/go_json.h"

#include <algorithm>

#include "common/base/hex.h"
#include "common/contract/utf8.h"

namespace baokms::contract {
namespace {

// Returns `value` as \u and four digits. It must be below U+10000.
std::string UnicodeEscape(char32_t value) {
  std::string escape = "\\u";
  for (unsigned shift = 16; shift > 0; shift -= 4) {
    escape.push_back(kHexDigits[(value >> (shift - 4)) & 0xFU]);
  }
  return escape;
}

// Returns the escape sequence of one code point, or "" when it is written unchanged.
std::string Escape(CodePoint point) {
  switch (point.value) {
    case U'"':
      return "\\\"";
    case U'\\':
      return "\\\\";
    case U'\n':
      return "\\n";
    case U'\r':
      return "\\r";
    case U'\t':
      return "\\t";
    case U'\b':
      return "\\b";
    case U'\f':
      return "\\f";
    case U'<':
    case U'>':
    case U'&':
    case U'\u2028':
    case U'\u2029':
      return UnicodeEscape(point.value);
    default:
      if (point.valid && point.value >= 0x20) {
        return std::string();
      }
      return UnicodeEscape(point.value);
  }
}

// Returns how many bytes at the beginning of `text` are ASCII that is written unchanged. Nearly all
// text of a registry is, so that looking at single code points would be most of the work of a
// write.
std::size_t PlainLength(std::string_view text) {
  const auto end = std::ranges::find_if_not(text, [](char c) {
    return c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
  });
  return static_cast<std::size_t>(end - text.begin());
}

}  // namespace

std::string GoJsonString(std::string_view text) {
  std::string quoted = "\"";
  while (true) {
    const std::size_t plain = PlainLength(text);
    quoted.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) {
      break;
    }
    const CodePoint point = DecodeCodePoint(text);
    const std::string escape = Escape(point);
    if (escape.empty()) {
      quoted.append(text.substr(0, point.length));
    } else {
      quoted.append(escape);
    }
    text.remove_prefix(point.length);
  }
  quoted.push_back('"');
  return quoted;
}

void GoJsonWriter::BeginObject() {
  if (depth_ > 0) {
    NextItem();
  }
  Open('{');
}

void GoJsonWriter::EndObject() {
  Close('}');
}

void GoJsonWriter::BeginArray(std::string_view name) {
  Name(name);
  Open('[');
}

void GoJsonWriter::EndArray() {
  Close(']');
}

void GoJsonWriter::Text(std::string_view name, std::string_view value) {
  Name(name);
  text_.append(GoJsonString(value));
}

void GoJsonWriter::Number(std::string_view name, std::uint64_t value) {
  Name(name);
  text_.append(std::to_string(value));
}

void GoJsonWriter::Number(std::string_view name, std::int64_t value) {
  Name(name);
  text_.append(std::to_string(value));
}

void GoJsonWriter::TextUnlessEmpty(std::string_view name, std::string_view value) {
  if (!value.empty()) {
    Text(name, value);
  }
}

void GoJsonWriter::NumberUnlessZero(std::string_view name, std::int64_t value) {
  if (value != 0) {
    Number(name, value);
  }
}

void GoJsonWriter::NextItem() {
  if (!first_) {
    text_.push_back(',');
  }
  first_ = false;
  NewLine();
}

void GoJsonWriter::NewLine() {
  if (style_ == Style::kIndented) {
    text_.push_back('\n');
    text_.append(2 * depth_, ' ');
  }
}

void GoJsonWriter::Name(std::string_view name) {
  NextItem();
  text_.append("\"").append(name).append(style_ == Style::kIndented ? "\": " : "\":");
}

void GoJsonWriter::Open(char bracket) {
  text_.push_back(bracket);
  ++depth_;
  first_ = true;
}

void GoJsonWriter::Close(char bracket) {
  --depth_;
  if (!first_) {
    NewLine();
  }
  text_.push_back(bracket);
  first_ = false;
}

}  // namespace baokms::contract
