// Random numbers from the kernel, for request ids and for jitter.

#pragma once

#include "ipc/token_message.h"

namespace baokms::worker {

// Unpredictable: an answer to a login is matched by it. Aborts when the kernel has no random
// bytes, since nothing could be asked for safely then.
ipc::LoginRequestId NewLoginRequestId();

// A number from [0, 1).
double UniformRandom();

}  // namespace baokms::worker
