#include "authagent/pkcs11/threaded_key.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "authagent/pkcs11/native_thread.h"
#include "authagent/pkcs11/signing_key.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/result.h"

namespace baokms::authagent {

ThreadedKey::ThreadedKey(NativeThread& thread,
                         SigningKey& inner,
                         BootTime limit,
                         std::function<void(const Error&)> failed)
    : thread_(thread), inner_(inner), limit_(limit), failed_(std::move(failed)) {
}

Result<std::vector<std::uint8_t>> ThreadedKey::Sign(const SignatureRequest& request) {
  // Shared with the task, which continues when no caller waits for it any more.
  struct Work {
    SignatureRequest request;
    std::vector<std::uint8_t> input;
    Result<std::vector<std::uint8_t>> signature =
        Error(ErrorCode::kDeadlineExceeded, "PKCS#11 module does not answer");
  };

  const auto work = std::make_shared<Work>();
  work->request = request;
  work->input.assign(request.input.begin(), request.input.end());
  work->request.input = work->input;
  // Does not use `this`, because the task may start after the key was destroyed.
  const bool ended = thread_.RunAndWait(
      [work, &inner = inner_] { work->signature = inner.Sign(work->request); }, limit_);
  if (!ended) {
    const Error hung(ErrorCode::kDeadlineExceeded, "PKCS#11 module does not answer");
    failed_(hung);
    return hung;
  }
  if (!work->signature) {
    failed_(work->signature.error());
  }
  return std::move(work->signature);
}

}  // namespace baokms::authagent
