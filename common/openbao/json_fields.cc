#include "common/openbao/json_fields.h"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <limits>
#include <span>
#include <type_traits>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "common/contract/encoding.h"
#include "common/contract/limits.h"
#include "common/openbao/http_limits.h"

namespace baokms::openbao {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::span<std::uint8_t> AsMutableBytes(std::string& text) {
  return {reinterpret_cast<std::uint8_t*>(text.data()), text.size()};
}

// Both wipe `value`, which is the JSON library's own buffer.
bool Store(SecretText slot, std::string& value) {
  if (value.empty()) {
    return true;
  }
  Result<SecretBuffer> secret = SecretBuffer::TakeFrom(AsMutableBytes(value));
  if (!secret.has_value()) {
    ::explicit_bzero(value.data(), value.size());
    return false;
  }
  *slot.target = std::move(secret).value();
  return true;
}

bool DecodeInto(SecretBuffer& target, std::string_view text) {
  if (text.size() % 4 != 0) {
    return false;
  }
  const std::size_t padding = text.ends_with("==") ? 2 : (text.ends_with('=') ? 1 : 0);
  Result<SecretBuffer> secret = SecretBuffer::Allocate(text.size() / 4 * 3 - padding);
  if (!secret.has_value()) {
    return false;
  }
  const auto written = contract::DecodeBase64Into(text, secret->RevealMutable());
  if (!written.has_value() || *written != secret->size()) {
    return false;
  }
  target = std::move(secret).value();
  return true;
}

bool Store(SecretBase64 slot, std::string& value) {
  const bool stored = value.empty() || DecodeInto(*slot.target, value);
  ::explicit_bzero(value.data(), value.size());
  return stored;
}

bool Store(std::string* target, std::string& value) {
  *target = value;
  return true;
}

void Note(ErrorTexts& texts, std::string& value) {
  std::transform(value.begin(), value.end(), value.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  texts.sealed |= value.find("sealed") != std::string::npos;
  texts.authentication_failed |= value.find("message authentication failed") != std::string::npos;
}

// Walks the document and stores what `fields` ask for.
class FieldReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit FieldReader(std::span<const JsonField> fields) : fields_(fields), seen_(fields.size()) {}

  bool null() override {
    const JsonField* field = BeginValue();
    if (field == nullptr) {
      return MayBeSkipped();
    }
    seen_[IndexOf(field)] = false;
    return field->presence == Presence::kOptional;
  }

  bool boolean(bool value) override {
    return WithTarget([value](auto target) {
      if constexpr (std::is_same_v<decltype(target), bool*>) {
        *target = value;
        return true;
      }
      return false;
    });
  }

  // What carries a minus sign comes here.
  bool number_integer(number_integer_t value) override { return Integer(value); }

  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<number_unsigned_t>(contract::kMaxInteger)) {
      return WithTarget([](auto) { return false; });
    }
    return Integer(static_cast<std::int64_t>(value));
  }

  // Fractions, exponents and integers above 64 bits: never what we want, harmless elsewhere.
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override {
    return WithTarget([](auto) { return false; });
  }

  bool string(string_t& value) override {
    if (const JsonField* list = EnclosingErrorList()) {
      Note(*std::get<ErrorTexts*>(list->target), value);
      return true;
    }
    return WithTarget([&value](auto target) {
      if constexpr (requires { Store(target, value); }) {
        return Store(target, value);
      }
      return false;
    });
  }

  bool binary(binary_t& /*value*/) override { return false; }

  bool start_object(std::size_t /*elements*/) override { return Begin(Level::Kind::kObject); }

  bool end_object() override { return End(); }

  bool start_array(std::size_t /*elements*/) override { return Begin(Level::Kind::kArray); }

  bool end_array() override { return End(); }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    level.name = name;
    return level.names.insert(name).second;
  }

  bool parse_error(std::size_t /*position*/,
                   const std::string& /*token*/,
                   const nlohmann::json::exception& /*cause*/) override {
    return false;
  }

  [[nodiscard]] bool Complete() const {
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      if (!seen_[i] && fields_[i].presence == Presence::kRequired) {
        return false;
      }
    }
    return true;
  }

 private:
  struct Level {
    enum class Kind : std::uint8_t { kObject, kArray };
    Kind kind;
    std::string name;  // of the member being read
    std::unordered_set<std::string> names;
  };

  // The field that the next value belongs to, noted as seen; nullptr when nobody wants it.
  const JsonField* BeginValue() {
    const JsonField* field = FieldHere(levels_.size());
    if (field != nullptr) {
      seen_[IndexOf(field)] = true;
    }
    return field;
  }

  // The field named by the first `depth` open levels.
  [[nodiscard]] const JsonField* FieldHere(std::size_t depth) const {
    if (depth < 1 || depth > 2 || levels_.size() < depth ||
        std::any_of(levels_.begin(), levels_.begin() + static_cast<std::ptrdiff_t>(depth),
                    [](const Level& level) { return level.kind == Level::Kind::kArray; })) {
      return nullptr;
    }
    const std::string_view section = depth == 2 ? std::string_view(levels_[0].name) : "";
    const std::string_view name = levels_[depth - 1].name;
    const auto found = std::find_if(fields_.begin(), fields_.end(), [&](const JsonField& field) {
      return field.section == section && field.name == name;
    });
    return found == fields_.end() ? nullptr : &*found;
  }

  // The field whose array or object directly encloses the next value.
  template <typename Target>
  [[nodiscard]] const JsonField* Enclosing(Level::Kind kind) const {
    if (levels_.size() < 2 || levels_.back().kind != kind) {
      return nullptr;
    }
    const JsonField* field = FieldHere(levels_.size() - 1);
    return field != nullptr && std::holds_alternative<Target>(field->target) ? field : nullptr;
  }

  [[nodiscard]] const JsonField* EnclosingErrorList() const {
    return Enclosing<ErrorTexts*>(Level::Kind::kArray);
  }

  [[nodiscard]] bool InVersionMap() const {
    return Enclosing<VersionMap*>(Level::Kind::kObject) != nullptr;
  }

  // Whether a value that nobody wants may stand here: not as the document, not as a version.
  [[nodiscard]] bool MayBeSkipped() const { return !levels_.empty() && !InVersionMap(); }

  // Gives the wanted field's target to `store`; a value that nobody wants is skipped.
  template <typename StoreFunction>
  bool WithTarget(StoreFunction store) {
    const JsonField* field = BeginValue();
    if (field == nullptr) {
      return MayBeSkipped();
    }
    return std::visit(store, field->target);
  }

  bool Integer(std::int64_t value) {
    if (const JsonField* map = Enclosing<VersionMap*>(Level::Kind::kObject)) {
      return AddVersion(*std::get<VersionMap*>(map->target), value);
    }
    return WithTarget([value](auto target) {
      using Slot = decltype(target);
      if constexpr (std::is_same_v<Slot, std::int64_t*> ||
                    std::is_same_v<Slot, std::optional<std::int64_t>*>) {
        *target = value;
        return true;
      }
      return false;
    });
  }

  bool AddVersion(VersionMap& versions, std::int64_t created) {
    const auto number = contract::ParsePositiveDecimal(levels_.back().name);
    if (!number.has_value() || versions.size() >= contract::kMaxKeyRecords) {
      return false;
    }
    versions.push_back({.number = *number, .created_at_unix = created});
    return true;
  }

  bool Begin(Level::Kind kind) {
    if (levels_.empty() ? kind != Level::Kind::kObject : levels_.size() >= kMaxJsonDepth) {
      return false;
    }
    const JsonField* field = BeginValue();
    const bool fits = field == nullptr ? levels_.empty() || MayBeSkipped()
                                       : (kind == Level::Kind::kArray
                                              ? std::holds_alternative<ErrorTexts*>(field->target)
                                              : std::holds_alternative<VersionMap*>(field->target));
    levels_.push_back({.kind = kind, .name = {}, .names = {}});
    return fits;
  }

  bool End() {
    levels_.pop_back();
    return true;
  }

  [[nodiscard]] std::size_t IndexOf(const JsonField* field) const {
    return static_cast<std::size_t>(field - fields_.data());
  }

  std::span<const JsonField> fields_;
  std::vector<bool> seen_;
  std::vector<Level> levels_;
};

}  // namespace

bool ReadFields(std::string_view body, std::initializer_list<JsonField> fields) {
  // The library takes a NUL for the end of its input and skips a byte order mark.
  if (body.find('\0') != std::string_view::npos || body.starts_with(kByteOrderMark)) {
    return false;
  }
  try {
    FieldReader reader({fields.begin(), fields.size()});
    return nlohmann::json::sax_parse(body, &reader) && reader.Complete();
  } catch (const std::exception&) {
    return false;  // the library throws only when memory runs out
  }
}

}  // namespace baokms::openbao
