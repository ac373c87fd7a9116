#include "tests/bench/settings.h"

#include <iostream>

#include <nlohmann/json.hpp>

namespace baokms::bench {
namespace {

using Json = nlohmann::json;

constexpr std::string_view Name(Operation operation) {
  switch (operation) {
    case Operation::kEncrypt:
      return "encrypt";
    case Operation::kDecrypt:
      return "decrypt";
    case Operation::kStatus:
      return "status";
  }
  return "";
}

constexpr std::string_view Name(Target target) {
  return target == Target::kProvider ? "provider" : "bare";
}

Result<Step> ParseStep(const Json& json) {
  Step step;
  const auto operation = json.at("operation").get<std::string>();
  const auto target = json.at("target").get<std::string>();
  bool known = false;
  for (const auto candidate : {Operation::kEncrypt, Operation::kDecrypt, Operation::kStatus}) {
    if (operation == Name(candidate)) {
      step.operation = candidate;
      known = true;
    }
  }
  step.target = target == Name(Target::kBare) ? Target::kBare : Target::kProvider;
  step.concurrency = json.at("concurrency").get<std::size_t>();
  if (!known || target != Name(step.target) || step.concurrency == 0 ||
      step.concurrency > kMaxConcurrency ||
      (step.operation == Operation::kStatus && step.target == Target::kBare)) {
    return Error(ErrorCode::kInvalidArgument, "unknown step");
  }
  return step;
}

BareSettings ParseBare(const Json& json) {
  return {.address = json.at("address"),
          .ca_file = json.at("ca_file"),
          .token = json.at("token"),
          .mount = json.at("mount"),
          .key = json.at("key"),
          .aad = json.at("aad"),
          .key_version = json.at("key_version")};
}

Result<Settings> Parse(const Json& json) {
  Settings settings;
  settings.socket_path = json.at("socket");
  settings.bare = ParseBare(json.at("bare"));
  settings.timing = {.warm_up = std::chrono::milliseconds(json.at("warm_up_ms").get<int>()),
                     .measured = std::chrono::milliseconds(json.at("measured_ms").get<int>())};
  settings.watched = json.at("watched").get<std::map<std::string, int>>();
  for (const Json& step : json.at("steps")) {
    settings.steps.push_back(BAOKMS_TRY(ParseStep(step)));
  }
  return settings;
}

}  // namespace

Result<Settings> ParseSettings(std::string_view text) {
  try {
    return Parse(Json::parse(text));
  } catch (const Json::exception& error) {
    std::cerr << "settings: " << error.what() << '\n';
    return Error(ErrorCode::kInvalidArgument, "settings");
  }
}

std::string ToJson(const Step& step, const Summary& summary) {
  const Json json{{"operation", Name(step.operation)},
                  {"target", Name(step.target)},
                  {"concurrency", step.concurrency},
                  {"p50_ms", summary.p50_ms},
                  {"p99_ms", summary.p99_ms},
                  {"rate", summary.rate},
                  {"calls", summary.calls},
                  {"cpu_us", summary.cpu_us}};
  return json.dump();
}

}  // namespace baokms::bench
