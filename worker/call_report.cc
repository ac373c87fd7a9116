#include "worker/call_report.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "common/openbao/api.h"
#include "common/openbao/error_class.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"

namespace baokms::worker {
namespace {

constexpr std::size_t kMaxRequestId = 128;

bool IsRequestId(std::string_view text) {
  return text.size() <= kMaxRequestId && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                  c == '-' || c == '_' || c == '.' || c == ':';
         });
}

}  // namespace

void AppendCalls(const std::vector<openbao::CallRecord>& calls, IpcCalls& target) {
  for (const openbao::CallRecord& record : calls) {
    if (static_cast<std::size_t>(target.size()) == ipc::kMaxCalls) {
      return;
    }
    ipc::Call* call = target.Add();
    call->set_operation(record.operation);
    call->set_outcome(openbao::ToOutcome(record.error_class));
    call->set_duration_us(record.duration_us);
    if (IsRequestId(record.request_id)) {
      call->set_request_id(record.request_id);
    }
  }
}

}  // namespace baokms::worker
