// Writes JSON exactly as Go's encoding/json does in its default, HTML-safe mode. Three hashes of
// the contract are computed over such text, so every byte matters.
//
// Members are written in the order of the calls. Names are our own constants and are not escaped.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace baokms::contract {

// Returns `text` as a quoted Go JSON string. Each byte of invalid UTF-8 becomes the six characters
// \ufffd.
std::string GoJsonString(std::string_view text);

class GoJsonWriter {
 public:
  enum class Style : std::uint8_t {
    kCompact,   // json.Marshal
    kIndented,  // json.MarshalIndent with two spaces; no final newline
  };

  explicit GoJsonWriter(Style style) : style_(style) {}

  // Begins the document itself, or an element of the open array.
  void BeginObject();
  void EndObject();

  // Begins an array member of the open object.
  void BeginArray(std::string_view name);
  void EndArray();
  void Text(std::string_view name, std::string_view value);
  void Number(std::string_view name, std::uint64_t value);
  void Number(std::string_view name, std::int64_t value);

  // Go's `omitempty`: writes nothing for "" and 0.
  void TextUnlessEmpty(std::string_view name, std::string_view value);
  void NumberUnlessZero(std::string_view name, std::int64_t value);

  // Returns the finished text; every Begin call must have had its End call.
  [[nodiscard]] std::string Take() && { return std::move(text_); }

 private:
  void NextItem();
  void NewLine();
  void Name(std::string_view name);
  void Open(char bracket);
  void Close(char bracket);

  std::string text_;
  std::size_t depth_ = 0;
  Style style_;
  bool first_ = true;
};

}  // namespace baokms::contract
