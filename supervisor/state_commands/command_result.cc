#include "supervisor/state_commands/command_result.h"

namespace baokms::supervisor {

std::string CannotSentence(std::string_view what, const Error& error) {
  return std::string("cannot ").append(what).append(": ") + error.Describe();
}

}  // namespace baokms::supervisor
