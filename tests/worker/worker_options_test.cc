#include "worker/worker_options.h"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/setup/limits.h"
#include "proto/setup.pb.h"
#include "tests/worker/setups.h"
#include "tests/worker/worker_fixture.h"
#include "worker/limits.h"

namespace baokms::worker {
namespace {

using namespace std::chrono_literals;

TEST(WorkerOptionsTest, TakesOverEveryValue) {
  ipc::WorkerSetup setup = MakeSetup("the CA");
  setup.mutable_identity()->set_namespace_path("admin/workload-a");
  setup.mutable_openbao()->set_namespace_path("admin/workload-a");
  setup.mutable_openbao()->mutable_endpoints(0)->set_path_prefix("/bao");
  const WorkerOptions options = ReadSetup(setup).value();
  contract::KeyIdentity identity = GoldenIdentity();
  identity.namespace_path = "admin/workload-a";
  EXPECT_EQ(options.identity, identity);
  ASSERT_EQ(options.openbao.endpoints.size(), 1U);
  EXPECT_EQ(options.openbao.endpoints[0].host, "bao.test");
  EXPECT_EQ(options.openbao.endpoints[0].port, 8200);
  EXPECT_EQ(options.openbao.endpoints[0].path_prefix, "/bao");
  EXPECT_EQ(options.openbao.ca_pem, "the CA");
  EXPECT_EQ(options.openbao.server_name, "bao.test");
  EXPECT_EQ(options.openbao.namespace_path, "admin/workload-a");
  EXPECT_EQ(options.openbao.transit_mount, "transit");
  EXPECT_EQ(options.openbao.transit_key, "k8s-workload-a-etcd");
  EXPECT_EQ(options.openbao.max_connections, 16U);
  EXPECT_EQ(options.token.refresh_before, BootTime(5min));
  EXPECT_EQ(options.token.login_timeout, BootTime(5s));
  EXPECT_EQ(options.token.longest_wait, BootTime(30s));
  EXPECT_EQ(options.token.check_interval, BootTime(1h));
  EXPECT_EQ(options.token.mode, RenewalMode::kBySelf);
  EXPECT_EQ(options.renewal_increment_seconds, 3600);
  EXPECT_EQ(options.plugin_version, "v0.1.0-test");
  EXPECT_EQ(options.log_level, LogLevel::kInfo);
}

TEST(WorkerOptionsTest, BoundsTimesThatOnlyHurt) {
  ipc::WorkerSetup setup = MakeSetup("");
  setup.set_longest_backoff_ns(1);
  setup.set_login_timeout_ns(BootTime(24h).count());
  setup.set_renewal_increment_s(1);
  setup.set_token_renewable(false);
  const WorkerOptions options = ReadSetup(setup).value();
  EXPECT_EQ(options.token.longest_wait, std::chrono::seconds(1));
  EXPECT_EQ(options.token.login_timeout, kMaxLoginTimeout);
  EXPECT_EQ(options.token.check_interval, kMinCheck);
  EXPECT_EQ(options.token.mode, RenewalMode::kByLogin);
}

TEST(WorkerOptionsTest, RefusesWhatNoConfigurationGives) {
  struct Row {
    const char* name;
    std::function<void(ipc::WorkerSetup&)> spoil;
  };

  const std::vector<Row> rows = {
      {"nothing",
       [](auto& setup) {
         setup.Clear();
       }},
      {"no cluster id",
       [](auto& setup) {
         setup.mutable_identity()->clear_cluster_id();
       }},
      {"two namespaces",
       [](auto& setup) {
         setup.mutable_openbao()->set_namespace_path("other");
       }},
      {"no endpoint",
       [](auto& setup) {
         setup.mutable_openbao()->clear_endpoints();
       }},
      {"endpoint without host",
       [](auto& setup) {
         setup.mutable_openbao()->mutable_endpoints(0)->clear_host();
       }},
      {"port 0",
       [](auto& setup) {
         setup.mutable_openbao()->mutable_endpoints(0)->set_port(0);
       }},
      {"port 65536",
       [](auto& setup) {
         setup.mutable_openbao()->mutable_endpoints(0)->set_port(65536);
       }},
      {"too many endpoints",
       [](auto& setup) {
         for (int i = 0; i < static_cast<int>(setup::kMaxEndpoints); ++i) {
           *setup.mutable_openbao()->add_endpoints() = setup.openbao().endpoints(0);
         }
       }},
      {"mount with an empty segment",
       [](auto& setup) {
         setup.set_transit_mount("a//b");
       }},
      {"key with a slash",
       [](auto& setup) {
         setup.set_transit_key("a/b");
       }},
      {"no connections",
       [](auto& setup) {
         setup.set_max_connections(0);
       }},
      {"too many connections",
       [](auto& setup) {
         setup.set_max_connections(setup::kMaxConnections + 1);
       }},
      {"no login time",
       [](auto& setup) {
         setup.set_login_timeout_ns(0);
       }},
      {"no waits",
       [](auto& setup) {
         setup.set_longest_backoff_ns(0);
       }},
      {"negative lead",
       [](auto& setup) {
         setup.set_refresh_before_ns(-1);
       }},
      {"no increment",
       [](auto& setup) {
         setup.set_renewal_increment_s(0);
       }},
      {"unknown log level",
       [](auto& setup) {
         setup.set_log_level(4);
       }},
      {"no version",
       [](auto& setup) {
         setup.clear_plugin_version();
       }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    ipc::WorkerSetup setup = MakeSetup("");
    row.spoil(setup);
    const Result<WorkerOptions> options = ReadSetup(setup);
    ASSERT_FALSE(options.has_value());
    EXPECT_EQ(options.error().code(), ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace baokms::worker
