// A KMS request in progress, as the transport sees it: it can be cancelled, and it ends with
// exactly one callback.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "proto/kms_v2.pb.h"
#include "supervisor/kms/error_policy.h"

namespace baokms::supervisor {

// The transport holds it for as long as its client may disconnect.
class KmsCall {
 public:
  virtual ~KmsCall() = default;

  // Reports that the client disconnected: the callback runs immediately with kCanceled, unless it
  // has already run.
  virtual void Cancel() = 0;

 protected:
  KmsCall() = default;
  KmsCall(const KmsCall&) = default;
  KmsCall& operator=(const KmsCall&) = default;
};

// Null if the request was answered inside the call that started it.
using KmsCallPtr = std::shared_ptr<KmsCall>;

// Called once, on the thread that started or cancelled the request, or on the loop's. The response
// is valid with kOk only, and only until the callback returns.
using EncryptDone = std::function<void(const PublicError&, const v2::EncryptResponse&)>;
using DecryptDone =
    std::function<void(const PublicError&, std::span<const std::uint8_t> plaintext)>;

}  // namespace baokms::supervisor
