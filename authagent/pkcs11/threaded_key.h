// The HSM's key for TLS: TLS runs on the loop's thread and needs its signature synchronously, but
// the module is called on its own thread. The wait is limited, so that a hanging module is
// detected.

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
  // `thread` and `inner` must outlive the key and every hanging call. `failed` is called for each
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
