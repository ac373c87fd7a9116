// Converts the records of HTTP exchanges into the form that is sent to the supervisor.

#pragma once

#include <cstddef>
#include <vector>

#include "common/openbao/api.h"
#include "common/openbao/error_class.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"

namespace baokms::openbao {

// Appends `records` to `calls` (the repeated ipc::OpenBaoCall of a message), up to ipc::kMaxCalls
// in total.
template <typename Calls>
void AppendCalls(const std::vector<CallRecord>& records, Calls& calls) {
  for (const CallRecord& record : records) {
    if (static_cast<std::size_t>(calls.size()) >= ipc::kMaxCalls) {
      return;
    }
    ipc::OpenBaoCall& call = *calls.Add();
    call.set_operation(record.operation);
    call.set_outcome(ToOutcome(record.error_class));
    call.set_duration_us(record.duration_us);
    call.set_request_id(record.request_id);
    call.set_tls_alert(record.tls_alert);
  }
}

}  // namespace baokms::openbao
