// Converts the sealed set-up into the options of an OpenBao client.

#pragma once

#include "common/openbao/api.h"
#include "proto/setup.pb.h"

namespace baokms::openbao {

// Returns endpoints, roots, server name and namespace, without a Transit key. `setup` must have
// been checked (common/setup/set_up_checks.h).
ClientOptions ToClientOptions(const ipc::OpenBaoSetup& setup);

}  // namespace baokms::openbao
