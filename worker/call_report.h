// The HTTP exchanges of an operation in the form that goes to the supervisor.

#pragma once

#include <vector>

#include <google/protobuf/repeated_field.h>

#include "common/openbao/api.h"
#include "proto/ipc.pb.h"

namespace baokms::worker {

using IpcCalls = google::protobuf::RepeatedPtrField<ipc::Call>;

// Adds `calls` to those already in `target`, up to ipc::kMaxCalls in all; request ids of another
// form than OpenBao's are left out.
void AppendCalls(const std::vector<openbao::CallRecord>& calls, IpcCalls& target);

}  // namespace baokms::worker
