#include "common/contract/checkpoint.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tests/fuzz/require.h"

// Whatever parses says the same after it was written, and is then written in the same bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace baokms::contract;  // NOLINT(google-build-using-namespace): one function
  const auto checkpoint = ParseCheckpoint({reinterpret_cast<const char*>(data), size});
  if (checkpoint) {
    const auto written = SerializeCheckpoint(*checkpoint);
    const auto again = ParseCheckpoint(written);
    baokms::Require(again && *again == *checkpoint, "a checkpoint survives its file");
    baokms::Require(SerializeCheckpoint(*again) == written, "a checkpoint has one canonical file");
  }
  return 0;
}
