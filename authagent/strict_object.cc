#include "authagent/strict_object.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "common/base/result.h"

namespace baokms::authagent {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

class Reader final : public nlohmann::json_sax<Json> {
 public:
  explicit Reader(std::span<const std::string_view> wanted) : wanted_(wanted) {}

  [[nodiscard]] JsonMembers TakeMembers() { return std::move(members_); }

  bool null() override { return Store(OtherJson()); }

  bool boolean(bool /*value*/) override { return Store(OtherJson()); }

  bool number_integer(number_integer_t value) override { return Store(static_cast<double>(value)); }

  bool number_unsigned(number_unsigned_t value) override {
    return Store(static_cast<double>(value));
  }

  bool number_float(number_float_t value, const string_t& /*text*/) override {
    return Store(value);
  }

  bool string(string_t& value) override { return Store(std::move(value)); }

  bool binary(binary_t& /*value*/) override { return false; }

  bool start_object(std::size_t /*elements*/) override {
    return Store(OtherJson(), AtTop::kAllowed) && Open(Kind::kObject);
  }

  bool end_object() override {
    open_.pop_back();
    return true;
  }

  bool start_array(std::size_t /*elements*/) override {
    return Store(std::vector<std::string>()) && Open(Kind::kArray);
  }

  bool end_array() override {
    open_.pop_back();
    return true;
  }

  bool key(string_t& name) override {
    Level& level = open_.back();
    if (level.names.size() == kMaxJsonEntries || !level.names.insert(name).second) {
      return false;
    }
    if (open_.size() == 1) {
      const bool asked_for = std::ranges::find(wanted_, name) != wanted_.end();
      current_ = asked_for ? &members_[name] : nullptr;
    }
    return true;
  }

  bool parse_error(std::size_t /*position*/,
                   const std::string& /*token*/,
                   const Json::exception& /*cause*/) override {
    return false;
  }

 private:
  enum class Kind : std::uint8_t { kObject, kArray };
  enum class AtTop : std::uint8_t { kRefused, kAllowed };

  struct Level {
    Kind kind;
    std::set<std::string> names;
  };

  bool Open(Kind kind) {
    if (open_.size() == kMaxJsonDepth) {
      return false;
    }
    open_.push_back({kind, {}});
    return true;
  }

  // Puts a value where it belongs: into the current member, into its list, or nowhere.
  bool Store(JsonValue value, AtTop at_top = AtTop::kRefused) {
    if (open_.empty()) {
      return at_top == AtTop::kAllowed;
    }
    if (current_ == nullptr || open_.size() > 2) {
      return true;
    }
    if (open_.size() == 1) {
      *current_ = std::move(value);
      return true;
    }
    return open_.back().kind == Kind::kObject || Append(std::move(value));
  }

  // A list with anything but texts in it becomes "something else".
  bool Append(JsonValue value) {
    auto* list = std::get_if<std::vector<std::string>>(current_);
    auto* text = std::get_if<std::string>(&value);
    if (list == nullptr) {
      return true;
    }
    if (text == nullptr) {
      *current_ = OtherJson();
      return true;
    }
    if (list->size() == kMaxJsonEntries) {
      return false;
    }
    list->push_back(std::move(*text));
    return true;
  }

  std::span<const std::string_view> wanted_;
  JsonMembers members_;
  JsonValue* current_ = nullptr;  // the member being read; null for one that is not wanted
  std::vector<Level> open_;
};

// The library throws when memory runs out; that must not leave this function.
bool Parse(std::string_view text, Reader& reader) {
  try {
    return Json::sax_parse(text, &reader);
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

Result<JsonMembers> ReadStrictObject(std::string_view text,
                                     std::span<const std::string_view> wanted) {
  // The library takes a NUL for the end of its input and skips a byte order mark.
  if (text.find('\0') != std::string_view::npos || text.starts_with(kByteOrderMark)) {
    return Error(ErrorCode::kInvalidArgument, "NUL or byte order mark in JSON");
  }
  Reader reader(wanted);
  if (!Parse(text, reader)) {
    return Error(ErrorCode::kInvalidArgument, "not one JSON object with unique names");
  }
  return reader.TakeMembers();
}

}  // namespace baokms::authagent
