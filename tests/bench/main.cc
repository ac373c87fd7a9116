// baokms_bench load               runs the steps of the settings (one line) on standard input and
//                                 prints a line of JSON each
// baokms_bench first SOCKET       prints "waiting", then when the first Encrypt succeeded, in
//                                 nanoseconds of CLOCK_MONOTONIC
// baokms_bench flood SOCKET N MS  sends N forged requests a second for MS milliseconds and prints a
//                                 line of JSON
//
// It is started by tests/bench/run, which makes the settings and sums up.

#include <charconv>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <curl/curl.h>

#include "common/base/result.h"
#include "tests/bench/commands.h"

namespace baokms::bench {
namespace {

std::uint32_t NumberOf(std::string_view text) {
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

int Report(const Status& status) {
  if (!status) {
    std::cerr << status.error().ToString() << '\n';
    return 1;
  }
  return 0;
}

int Main(const std::vector<std::string_view>& arguments) {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return Report(Error(ErrorCode::kInternal, "curl_global_init"));
  }
  if (arguments.size() == 2 && arguments[1] == "load") {
    return Report(RunSteps());
  }
  if (arguments.size() == 3 && arguments[1] == "first") {
    return Report(ShowFirstEncrypt(std::string(arguments[2])));
  }
  if (arguments.size() == 5 && arguments[1] == "flood") {
    const std::chrono::milliseconds duration(NumberOf(arguments[4]));
    return Report(ShowFlood(std::string(arguments[2]), NumberOf(arguments[3]), duration));
  }
  std::cerr << "usage: baokms_bench load < SETTINGS | first SOCKET | flood SOCKET PER_SECOND MS\n";
  return 2;
}

}  // namespace
}  // namespace baokms::bench

int main(int argc, char** argv) {
  return baokms::bench::Main({argv, argv + argc});
}
