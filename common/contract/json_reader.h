// Reads strict JSON made of objects, arrays, strings and unsigned integers, and nothing else: the
// only kinds that occur in our files. The rest of JSON, byte order marks, NUL bytes, invalid UTF-8
// and text after the value are refused. Not for JSON from the network.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace baokms::contract {

// Gets the document piece by piece. Answering false to any piece ends the reading with an error.
class JsonEvents {
 public:
  JsonEvents() = default;
  JsonEvents(const JsonEvents&) = delete;
  JsonEvents& operator=(const JsonEvents&) = delete;
  virtual ~JsonEvents() = default;

  virtual bool BeginObject() = 0;
  virtual bool EndObject() = 0;
  virtual bool BeginArray() = 0;
  virtual bool EndArray() = 0;
  virtual bool Key(std::string_view name) = 0;
  virtual bool Text(std::string value) = 0;
  virtual bool Number(std::uint64_t value) = 0;
};

// Reads the whole of `text`, at most `max_bytes` of it. On failure `events` may have seen a part.
Status ReadStrictJson(std::string_view text, std::size_t max_bytes, JsonEvents& events);

}  // namespace baokms::contract
