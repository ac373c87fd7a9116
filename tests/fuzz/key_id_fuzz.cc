#include "common/contract/key_id.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tests/fuzz/require.h"

// Whatever parses is written as it was read, and is 48 characters long.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto key_id = baokms::contract::KeyId::Parse(text);
  if (key_id) {
    baokms::Require(key_id->text() == text, "a key_id is written as it was read");
    baokms::Require(text.size() == 48, "a key_id has 48 characters");
  }
  return 0;
}
