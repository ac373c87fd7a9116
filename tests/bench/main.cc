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
#include "tests/bench/bare_load.h"
#include "tests/bench/cpu_time.h"
#include "tests/bench/first_encrypt.h"
#include "tests/bench/flood.h"
#include "tests/bench/kms_load.h"
#include "tests/bench/recorder.h"
#include "tests/bench/settings.h"

namespace baokms::bench {
namespace {

// Makes ready what the step needs, before its time begins.
Result<Summary> RunStep(const Step& step,
                        const Settings& settings,
                        KmsLoad& provider,
                        BareLoad& bare) {
  BAOKMS_TRY(step.target == Target::kProvider ? provider.Prepare(step.operation) : bare.Prepare());
  const CpuTimes before = ReadCpuTimes(settings.watched);
  Recorder recorder(settings.timing);
  BAOKMS_TRY(step.target == Target::kProvider
                 ? provider.Run(step.operation, step.concurrency, recorder)
                 : bare.Run(step.operation, step.concurrency, recorder));
  Summary summary = recorder.Sum();
  summary.cpu_us = CpuPerCall(before, ReadCpuTimes(settings.watched), summary.calls);
  return summary;
}

Status RunSteps() {
  std::string text;
  std::getline(std::cin, text);
  const Settings settings = BAOKMS_TRY(ParseSettings(text));
  KmsLoad provider(settings.socket_path);
  const auto bare = BAOKMS_TRY(BareLoad::Create(settings.bare));
  for (const Step& step : settings.steps) {
    const Summary summary = BAOKMS_TRY(RunStep(step, settings, provider, *bare));
    std::cout << ToJson(step, summary) << std::endl;
  }
  return {};
}

Status ShowFirstEncrypt(const std::string& socket_path) {
  std::cout << BAOKMS_TRY(WaitForFirstEncrypt(socket_path)).count() << std::endl;
  return {};
}

std::uint32_t NumberOf(std::string_view text) {
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Status ShowFlood(const std::string& socket_path, std::uint32_t per_second, std::uint32_t ms) {
  const FloodAnswers answers =
      BAOKMS_TRY(Flood(socket_path, per_second, std::chrono::milliseconds(ms)));
  std::cout << ToJson(answers) << std::endl;
  return {};
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
    return Report(
        ShowFlood(std::string(arguments[2]), NumberOf(arguments[3]), NumberOf(arguments[4])));
  }
  std::cerr << "usage: baokms_bench load < SETTINGS | first SOCKET | flood SOCKET PER_SECOND MS\n";
  return 2;
}

}  // namespace
}  // namespace baokms::bench

int main(int argc, char** argv) {
  return baokms::bench::Main({argv, argv + argc});
}
