#include "common/base/backoff.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdint>

namespace baokms {

BootTime Backoff::Next(double random) {
  last_ = count_ < policy_.initial.size() ? policy_.initial[count_] : last_ * policy_.factor;
  last_ = std::min(last_, policy_.maximum);
  ++count_;
  return std::min(Scaled(last_, 1.0 - policy_.jitter + 2 * policy_.jitter * random),
                  policy_.maximum);
}

void Backoff::Reset() {
  count_ = 0;
}

BootTime Scaled(BootTime duration, double factor) {
  return std::chrono::duration_cast<BootTime>(std::chrono::duration<double, std::nano>(duration) *
                                              factor);
}

double UniformRandom() {
  std::uint32_t number = 0;
  // Requests of up to 256 bytes are never interrupted (getrandom(2)).
  if (::getrandom(&number, sizeof number, GRND_NONBLOCK) != sizeof number) {
    return 0.5;
  }
  return number / 4294967296.0;
}

}  // namespace baokms
