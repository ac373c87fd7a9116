// Random numbers from the kernel, for request ids and for jitter.

#pragma once

#include "ipc/token_message.h"

namespace baokms::worker {

// Returns an unpredictable id, which matches a login answer to its request. Aborts when the kernel
// provides no random bytes, because no request would be safe then.
ipc::LoginRequestId NewLoginRequestId();

// Returns a number from [0, 1).
double UniformRandom();

}  // namespace baokms::worker
