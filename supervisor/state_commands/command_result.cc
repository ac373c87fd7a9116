#include "supervisor/state_commands/command_result.h"

#include <cstring>

namespace baokms::supervisor {

std::string CannotSentence(std::string_view what, const Error& error) {
  std::string text = "cannot ";
  text.append(what).append(": ").append(error.what());
  if (error.sys_errno() != 0) {
    text.append(": ").append(std::strerror(error.sys_errno()));
  }
  return text;
}

}  // namespace baokms::supervisor
