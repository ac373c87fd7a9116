// The HSM's key as TLS uses it: TLS runs on the loop's thread and wants its signature at once, the
// module is called on its own thread. Waiting is limited, so that a module that hangs is noticed.

#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "authagent/pkcs11/native_thread.h"
#include "authagent/pkcs11/signing_key.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace baokms::authagent {

class ThreadedKey final : public SigningKey {
 public:
  // `thread` and `inner` must outlive the key and every call that hangs. `failed` hears of each
  // failure, on the caller's thread; kDeadlineExceeded: `inner` did not answer within `limit`.
  ThreadedKey(NativeThread& thread,
              SigningKey& inner,
              BootTime limit,
              std::function<void(const Error&)> failed);

  Result<std::vector<std::uint8_t>> Sign(const SignatureRequest& request) override;

 private:
  NativeThread& thread_;
  SigningKey& inner_;
  BootTime limit_;
  std::function<void(const Error&)> failed_;
};

}  // namespace baokms::authagent
