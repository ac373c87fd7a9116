// `pin-latch`: shows the PIN that must not be tried again, or says that it may.

#pragma once

#include <cstdint>
#include <string>

#include "supervisor/cli/report.h"
#include "supervisor/config/config.h"

namespace baokms::supervisor {

enum class PinLatchAction : std::uint8_t { kShow, kClear };

struct PinLatchResult {
  // `pinLatch`: none, attempting, refused or unreadable; `cleared` when it was.
  Facts facts;
  // Why the state directory cannot be used; empty: it can.
  std::string failure;
};

// Clearing works while the provider runs, which tries the PIN again within seconds.
PinLatchResult RunPinLatch(const Config& config, PinLatchAction action);

}  // namespace baokms::supervisor
