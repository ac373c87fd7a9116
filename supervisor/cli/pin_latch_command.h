// `pin-latch`: shows the PIN that must not be tried again, or says that it may.

#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "supervisor/cli/report.h"
#include "supervisor/config/config.h"

namespace baokms::supervisor {

enum class PinLatchAction : std::uint8_t { kShow, kClear };

// `pinLatch`: none, attempting, refused or unreadable. Clearing works while the provider runs,
// which tries the PIN again within seconds. Fails when the state directory cannot be used.
Result<Facts> RunPinLatch(const Config& config, PinLatchAction action);

}  // namespace baokms::supervisor
