// A KMS request that is being answered, as the transport sees it: it can be given up, and it ends
// by exactly one callback.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "proto/kms_v2.pb.h"
#include "supervisor/kms/error_policy.h"

namespace baokms::supervisor {

// Kept by the transport for as long as its client may go away.
class KmsCall {
 public:
  virtual ~KmsCall() = default;

  // The client is gone: the callback runs now, with kCanceled, unless it ran before.
  virtual void Cancel() = 0;

 protected:
  KmsCall() = default;
  KmsCall(const KmsCall&) = default;
  KmsCall& operator=(const KmsCall&) = default;
};

// Null: the request was answered inside the call that started it.
using KmsCallPtr = std::shared_ptr<KmsCall>;

// Called once, on the thread that started the request, that cancelled it, or the loop's. The
// response is meaningful with kOk only and must be used up inside the callback.
using EncryptDone = std::function<void(const PublicError&, const v2::EncryptResponse&)>;
using DecryptDone =
    std::function<void(const PublicError&, std::span<const std::uint8_t> plaintext)>;

}  // namespace baokms::supervisor
