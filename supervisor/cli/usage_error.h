// What is wrong with the arguments.

#pragma once

#include <string>

namespace baokms::supervisor {

// One line, no prefix.
struct UsageError {
  std::string message;
};

}  // namespace baokms::supervisor
