#include "tests/bench/commands.h"

#include <iostream>

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

}  // namespace

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

Status ShowFlood(const std::string& socket_path,
                 std::uint32_t per_second,
                 std::chrono::milliseconds duration) {
  const FloodAnswers answers = BAOKMS_TRY(Flood(socket_path, per_second, duration));
  std::cout << ToJson(answers) << std::endl;
  return {};
}

}  // namespace baokms::bench
