#include "tests/worker/setups.h"

#include <chrono>
#include <string>

#include "common/base/clock.h"
#include "common/contract/identity.h"
#include "proto/setup.pb.h"
#include "tests/worker/worker_fixture.h"

namespace baokms::worker {

using namespace std::chrono_literals;

ipc::WorkerSetup MakeSetup(const std::string& ca_pem) {
  ipc::WorkerSetup setup;
  const contract::KeyIdentity identity = GoldenIdentity();
  ipc::IdentitySetup* part = setup.mutable_identity();
  part->set_provider_name(identity.provider_name);
  part->set_cluster_id(identity.cluster_id);
  part->set_instance_id(identity.instance_id);
  part->set_transit_mount_id(identity.transit_mount_id);
  part->set_key_lineage_id(identity.key_lineage_id);
  ipc::EndpointSetup* endpoint = setup.mutable_openbao()->add_endpoints();
  endpoint->set_host("bao.test");
  endpoint->set_port(8200);
  setup.mutable_openbao()->set_ca_pem(ca_pem);
  setup.mutable_openbao()->set_server_name("bao.test");
  setup.set_transit_mount("transit");
  setup.set_transit_key("k8s-workload-a-etcd");
  setup.set_plugin_version("v0.1.0-test");
  setup.set_request_timeout_ns(BootTime(2s).count());
  setup.set_login_timeout_ns(BootTime(5s).count());
  setup.set_refresh_before_ns(BootTime(5min).count());
  setup.set_renewal_increment_s(3600);
  setup.set_longest_backoff_ns(BootTime(30s).count());
  setup.set_token_renewable(true);
  setup.set_max_connections(16);
  setup.set_log_level(1);
  return setup;
}

}  // namespace baokms::worker
