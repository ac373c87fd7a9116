// The configuration loader on any bytes: loading the same text twice finds the same keys and
// problems, and whatever the text holds, messages are printable and never empty.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "supervisor/config/load.h"
#include "supervisor/config/validate.h"
#include "tests/fuzz/require.h"

namespace baokms {
namespace {

bool IsPrintable(std::string_view text) {
  for (const char c : text) {
    if (c < 0x20 || c > 0x7e) {
      return false;
    }
  }
  return true;
}

void CheckProperties(std::string_view text) {
  using supervisor::LoadResult;
  const LoadResult first = supervisor::LoadConfigText("f", text, {});
  const LoadResult second = supervisor::LoadConfigText("f", text, {});
  Require(first.problems.size() == second.problems.size(), "loading is deterministic");
  Require(first.document.origins.size() == second.document.origins.size(), "keys are stable");
  for (const auto& problem : supervisor::Validate(first.document, first.problems)) {
    Require(IsPrintable(problem.key), "keys in messages are printable");
    Require(IsPrintable(problem.message), "messages are printable");
    Require(!problem.message.empty(), "every problem says something");
  }
}

}  // namespace
}  // namespace baokms

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const void* bytes = data;
  baokms::CheckProperties({static_cast<const char*>(bytes), size});
  return 0;
}
