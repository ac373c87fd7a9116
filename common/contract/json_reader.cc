#include "common/contract/json_reader.h"

#include <exception>
#include <utility>

#include <nlohmann/json.hpp>

namespace baokms::contract {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

class Adapter final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Adapter(JsonEvents& events) : events_(events) {}

  bool null() override { return false; }

  bool boolean(bool /*value*/) override { return false; }

  // Only what carries a minus sign comes here.
  bool number_integer(number_integer_t /*value*/) override { return false; }

  bool number_unsigned(number_unsigned_t value) override { return events_.Number(value); }

  // Fractions, exponents and integers above 64 bits.
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return false; }

  bool string(string_t& value) override { return events_.Text(std::move(value)); }

  bool binary(binary_t& /*value*/) override { return false; }

  bool start_object(std::size_t /*elements*/) override { return events_.BeginObject(); }

  bool end_object() override { return events_.EndObject(); }

  bool start_array(std::size_t /*elements*/) override { return events_.BeginArray(); }

  bool end_array() override { return events_.EndArray(); }

  bool key(string_t& name) override { return events_.Key(name); }

  bool parse_error(std::size_t /*position*/,
                   const std::string& /*token*/,
                   const nlohmann::json::exception& /*cause*/) override {
    return false;
  }

 private:
  JsonEvents& events_;
};

// The library throws only when memory runs out; that must not leave this library.
bool Parse(std::string_view text, JsonEvents& events) {
  try {
    Adapter adapter(events);
    return nlohmann::json::sax_parse(text, &adapter);
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

Status ReadStrictJson(std::string_view text, std::size_t max_bytes, JsonEvents& events) {
  if (text.size() > max_bytes) {
    return Error(ErrorCode::kResourceExhausted, "JSON document exceeds its size limit");
  }
  // The library takes a NUL for the end of its input and skips a byte order mark.
  if (text.find('\0') != std::string_view::npos || text.starts_with(kByteOrderMark)) {
    return Error(ErrorCode::kInvalidArgument, "JSON document has a NUL or a byte order mark");
  }
  if (!Parse(text, events)) {
    return Error(ErrorCode::kInvalidArgument, "JSON document is malformed or of another shape");
  }
  return {};
}

}  // namespace baokms::contract
