#include "worker/call_report.h"

#include <cstddef>
#include <vector>

#include "common/openbao/api.h"
#include "common/openbao/error_class.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"

namespace baokms::worker {

void AppendCalls(const std::vector<openbao::CallRecord>& calls, IpcCalls& target) {
  for (const openbao::CallRecord& record : calls) {
    if (static_cast<std::size_t>(target.size()) == ipc::kMaxCalls) {
      return;
    }
    ipc::Call* call = target.Add();
    call->set_operation(record.operation);
    call->set_outcome(openbao::ToOutcome(record.error_class));
    call->set_duration_us(record.duration_us);
    call->set_request_id(record.request_id);
  }
}

}  // namespace baokms::worker
