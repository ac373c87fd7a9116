#include "supervisor/serve/start_failure.h"

#include <cstring>
#include <string>
#include <string_view>

#include "common/base/error.h"

namespace baokms::supervisor {

StartFailure Failure(std::string_view what, const Error& error) {
  std::string line = "cannot ";
  line.append(what).append(": ").append(error.what());
  if (error.sys_errno() != 0) {
    line.append(": ").append(std::strerror(error.sys_errno()));
  }
  return {.exit_code = 5, .line = std::move(line)};
}

}  // namespace baokms::supervisor
