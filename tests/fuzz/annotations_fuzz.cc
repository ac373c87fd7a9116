#include "common/contract/annotations.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tests/fuzz/require.h"

namespace {

using baokms::contract::Annotation;
using baokms::contract::AnnotationView;

// One entry a line, "key=value".
std::vector<AnnotationView> Split(std::string_view text) {
  std::vector<AnnotationView> views;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const std::string_view key = line.substr(0, line.find('='));
    views.push_back({key, line.substr(std::min(line.size(), key.size() + 1))});
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return views;
}

bool Contains(const std::vector<AnnotationView>& views, const Annotation& wanted) {
  return std::ranges::any_of(views, [&wanted](const AnnotationView& view) {
    return view.key == wanted.key && view.value == wanted.value;
  });
}

}  // namespace

// Whatever parses is written in the same entries; unknown ones are ignored.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto views = Split({reinterpret_cast<const char*>(data), size});
  const auto limits = baokms::contract::CheckAnnotationLimits(views);
  const auto fields = baokms::contract::ParseAnnotations(views);
  if (limits == baokms::contract::RequestVerdict::kAccepted && fields) {
    for (const Annotation& written : baokms::contract::EncodeAnnotations(*fields)) {
      baokms::Require(Contains(views, written), "an entry is written as it was read");
    }
  }
  return 0;
}
