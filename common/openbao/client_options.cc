#include "common/openbao/client_options.h"

#include <cstdint>

#include "common/openbao/api.h"
#include "proto/setup.pb.h"

namespace baokms::openbao {

ClientOptions ToClientOptions(const ipc::OpenBaoSetup& setup) {
  ClientOptions options;
  for (const ipc::EndpointSetup& endpoint : setup.endpoints()) {
    options.endpoints.push_back(
        {endpoint.host(), static_cast<std::uint16_t>(endpoint.port()), endpoint.path_prefix()});
  }
  options.ca_pem = setup.ca_pem();
  options.server_name = setup.server_name();
  options.namespace_path = setup.namespace_path();
  return options;
}

}  // namespace baokms::openbao
