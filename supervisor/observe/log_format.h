// How the stream of log records is written.

#pragma once

#include <cstdint>

namespace baokms::supervisor {

enum class LogFormat : std::uint8_t { kJson, kText };

}  // namespace baokms::supervisor
