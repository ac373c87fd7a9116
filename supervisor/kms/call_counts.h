// The calls of one connection, counted on the thread that serves gRPC and read by the acceptor.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace baokms::supervisor {

struct CallCounts {
  std::atomic<std::uint64_t> completed{0};    // all whose answer was written
  std::atomic<std::uint64_t> in_progress{0};  // arrived, and the answer is not written yet
};

using CallCountsPtr = std::shared_ptr<CallCounts>;

}  // namespace baokms::supervisor
