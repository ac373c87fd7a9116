// bao-kms-provider: the supervisor and its commands. Executed again under another name, it is the
// spawner (supervisor/spawner/spawner.h).

#include <cstddef>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/cli/cli.h"
#include "supervisor/serve/inquiry.h"
#include "supervisor/serve/serve.h"
#include "supervisor/spawner/spawner.h"

int main(int argc, char** argv) {
  using baokms::supervisor::ProcessEnvironment;
  if (argc == 1 && std::string_view(argv[0]) == baokms::supervisor::kSpawnerName) {
    return baokms::supervisor::RunSpawner();
  }
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return baokms::supervisor::RunCli(
      arguments, ProcessEnvironment(), {.out = std::cout, .err = std::cerr},
      {.serve = baokms::supervisor::RunServe, .read_live_key = baokms::supervisor::AskForKey});
}
