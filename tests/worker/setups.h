// A sealed set-up as a valid configuration gives it.

#pragma once

#include <string>

#include "proto/setup.pb.h"

namespace baokms::worker {

ipc::WorkerSetup MakeSetup(const std::string& ca_pem);

}  // namespace baokms::worker
