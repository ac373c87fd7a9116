#include "supervisor/serve/start_failure.h"

#include <string>
#include <string_view>

#include "common/base/error.h"

namespace baokms::supervisor {

StartFailure Failure(std::string_view what, const Error& error) {
  return {.exit_code = 5,
          .line = std::string("cannot ").append(what).append(": ") + error.Describe()};
}

}  // namespace baokms::supervisor
