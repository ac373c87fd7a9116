#include "supervisor/kms/decrypt_checks.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "common/contract/annotations.h"
#include "common/contract/key_id.h"
#include "common/contract/request_verdict.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/kms/error_policy.h"

namespace baokms::supervisor {
namespace {

using contract::AnnotationView;

std::vector<AnnotationView> ViewsOf(const v2::DecryptRequest& request) {
  std::vector<AnnotationView> views;
  views.reserve(static_cast<std::size_t>(request.annotations_size()));
  for (const v2::Annotation& annotation : request.annotations()) {
    views.push_back({annotation.key(), annotation.value()});
  }
  return views;
}

bool IsBefore(const AnnotationView& a, const AnnotationView& b) {
  return a.key != b.key ? a.key < b.key : a.value < b.value;
}

bool IsEqual(const AnnotationView& a, const AnnotationView& b) {
  return a.key == b.key && a.value == b.value;
}

}  // namespace

Cause CheckDecryptRequest(const v2::DecryptRequest& request) {
  if (request.ciphertext().empty()) {
    return Cause::kEmptyCiphertext;
  }
  switch (contract::CheckSealedLimits(request.ciphertext(), request.key_id(), ViewsOf(request))) {
    case contract::RequestVerdict::kAccepted:
      break;
    case contract::RequestVerdict::kLimit:
      return Cause::kRequestLimit;
    case contract::RequestVerdict::kInvalid:
    case contract::RequestVerdict::kMismatch:
      return Cause::kAnnotationsInvalid;
  }
  return contract::KeyId::Parse(request.key_id()) ? Cause::kNone : Cause::kKeyIdMalformed;
}

bool AskTheSame(const v2::DecryptRequest& a, const v2::DecryptRequest& b) {
  if (a.ciphertext() != b.ciphertext() || a.key_id() != b.key_id() ||
      a.annotations_size() != b.annotations_size()) {
    return false;
  }
  std::vector<AnnotationView> of_a = ViewsOf(a);
  std::vector<AnnotationView> of_b = ViewsOf(b);
  std::ranges::sort(of_a, IsBefore);
  std::ranges::sort(of_b, IsBefore);
  return std::ranges::equal(of_a, of_b, IsEqual);
}

}  // namespace baokms::supervisor
