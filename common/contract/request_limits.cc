#include "common/contract/request_limits.h"

#include "common/contract/limits.h"

namespace baokms::contract {

Verdict CheckSealedLimits(std::string_view ciphertext,
                          std::string_view key_id,
                          std::span<const AnnotationView> annotations) {
  if (ciphertext.size() > kMaxCiphertextBytes || key_id.size() > kMaxKeyIdRequestBytes) {
    return Verdict::kLimit;
  }
  return CheckAnnotationLimits(annotations);
}

}  // namespace baokms::contract
