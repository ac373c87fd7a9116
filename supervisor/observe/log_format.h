// The output formats of the log.

#pragma once

#include <cstdint>

namespace baokms::supervisor {

enum class LogFormat : std::uint8_t { kJson, kText };

}  // namespace baokms::supervisor
