#include "supervisor/serve/ready_body.h"

#include <sys/syscall.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baokms::supervisor {
namespace {

ProcessFacts ConfinedSupervisor() {
  ProcessFacts facts;
  facts.process = "supervisor";
  facts.confinement = Confinement{.pid = 12,
                                  .capabilities = 0,
                                  .no_new_privileges = true,
                                  .seccomp_filter = true,
                                  .filters = 2};
  facts.reported = ReportedConfinement{
      .filter = "supervisor", .landlock_abi = 7, .refused_syscall = SYS_getppid};
  facts.filters_in_force = true;
  facts.capabilities_as_permitted = true;
  return facts;
}

TEST(ReadyBodyTest, SaysTheLeastBeforeAnythingIsKnown) {
  ReadyFacts facts;
  facts.status.reasons = {"state_unavailable"};
  const HttpReply reply = ReadyReply(facts);
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.content_type, "application/json");
  EXPECT_EQ(
      reply.body,
      R"({"reasons":["state_unavailable"],"status":"unavailable","cache_age_ms":0,)"
      R"("stale":true,"workers_ready":0,)"
      R"("isolation":{"level":"single-user","helpers":"unreadable","files":"protected","credential":"unreadable","processes":{},"details":{}},"auth":{}})");
}

TEST(ReadyBodyTest, KeepsEveryMemberInItsPlace) {
  ReadyFacts facts;
  facts.status.ready = true;
  facts.status.metadata_error_class = "sealed";
  facts.status.deep_error_class = "timeout";
  facts.status.healthz = "ok";
  facts.status.cache_age_ms = 1234;
  facts.status.stale = false;
  facts.status.rotation_state = "pending";
  facts.status.persistence_degraded = true;
  facts.status.key_id_hash = "hash";
  facts.status.transit_key_version = 7;
  facts.workers_ready = 2;
  facts.status.rotation_deferred = "second_worker_missing";
  facts.status.finding = "text";
  facts.isolation = {.decided = {.level = IsolationLevel::kSeparateUsers,
                                 .landlock = {},
                                 .credential_readable = true,
                                 .helpers_readable = true,
                                 .files_changeable = true},
                     .inherited_filters = 1,
                     .processes = {ConfinedSupervisor(), {.process = "worker_0"}}};
  const HttpReply reply = ReadyReply(facts);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body,
            R"({"reasons":[],"metadata_error_class":"sealed","deep_error_class":"timeout",)"
            R"("status":"ok","healthz":"ok","cache_age_ms":1234,"stale":false,)"
            R"("rotation_state":"pending","persistence_degraded":true,"key_id_hash":"hash",)"
            R"("transit_key_version":7,"workers_ready":2,)"
            R"("rotation_deferred":"second_worker_missing","finding":"text",)"
            R"("isolation":{"level":"separate-users","helpers":"readable","files":"changeable","credential":"readable",)"
            R"("processes":{"supervisor":"confined","worker_0":"unconfined"},)"
            R"("inherited_filters":1,"details":{"supervisor":{"pid":12,"filters":2,)"
            R"("filter":"supervisor","landlock_abi":7,"refused":"getppid"},)"
            R"("worker_0":{}}},"auth":{}})");
}

TEST(ReadyBodyTest, SaysHowCredentialAndTokensStand) {
  ReadyFacts facts;
  facts.auth = {.credential = "jwt_near_expiry",
                .due = true,
                .jwt_ends_in_s = -5,
                .certificate_ends_in_s = 7,
                .token_ends_in_s = 0};
  EXPECT_THAT(ReadyReply(facts).body,
              testing::EndsWith(R"("auth":{"credential":"jwt_near_expiry",)"
                                R"("replacement_overdue":true,"jwt_ends_in_s":-5,)"
                                R"("certificate_ends_in_s":7,"token_ends_in_s":0}})"));
}

}  // namespace
}  // namespace baokms::supervisor
