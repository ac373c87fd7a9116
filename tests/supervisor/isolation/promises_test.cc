// Each promise, kept and broken in one way after the other.

#include "supervisor/isolation/promises.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "supervisor/isolation/describe.h"

namespace baokms::supervisor {
namespace {

using ::testing::HasSubstr;

constexpr uid_t kService = 900;

ProcessView MakeProcess(const std::string& name,
                        std::uint32_t filters,
                        const std::string& program) {
  ProcessView process;
  process.name = name;
  process.confinement = {.pid = 10,
                         .capabilities = 0,
                         .no_new_privileges = true,
                         .seccomp_filter = true,
                         .filters = 1 + filters};
  process.uids = {kService};
  process.gids = {kService};
  process.locked_kib = 8;
  process.secret_kib = 8;
  process.limits = {{"Max core file size", "0"},
                    {"Max file size", "0"},
                    {"Max open files", "96"},
                    {"Max address space", "536870912"},
                    {"Max data size", name == "auth_agent" ? "100663296" : "134217728"}};
  process.descriptors = {{"null", 3}, {"seqpacket", 2}, {"eventpoll", 1}};
  process.program = {.path = "/opt/" + program, .owner = 0, .mode = 0111};
  return process;
}

ProcessView& Process(IsolationObservation& observation, const std::string& name) {
  return *std::ranges::find(observation.processes, name, &ProcessView::name);
}

// A provider that keeps every promise, in a container with one filter.
IsolationObservation Perfect() {
  IsolationObservation observation;
  observation.reported = ReportedIsolation{};
  observation.reported->level = "separate-users";
  observation.reported->inherited_filters = 1;
  observation.reported->processes = {{"supervisor", {true, "supervisor", "getppid", 7}},
                                     {"spawner", {true, "spawner", "getppid", 0}},
                                     {"auth_agent", {true, "auth_agent", "dup3", 7}},
                                     {"worker_0", {true, "worker", "dup3", 0}},
                                     {"worker_1", {true, "worker", "dup3", 0}}};
  observation.processes = {MakeProcess("auth_agent", 2, "bao-kms-authagent"),
                           MakeProcess("spawner", 1, "bao-kms-spawner"),
                           MakeProcess("supervisor", 1, "bao-kms-provider"),
                           MakeProcess("worker_0", 2, "bao-kms-worker"),
                           MakeProcess("worker_1", 2, "bao-kms-worker")};
  uid_t uid = kService;
  for (ProcessView& process : observation.processes) {
    process.uids = {uid++};
  }
  Process(observation, "spawner").uids = Process(observation, "supervisor").uids;
  observation.readable_processes.emplace();
  observation.credential = "auth.jwt.jwtFile";
  observation.credential_readable = false;
  observation.address_filter = AddressFilter::kList;
  observation.workers = 2;
  observation.verify_decrypt = VerifyDecrypt::kSample;
  return observation;
}

Verdict VerdictOf(const std::string& id, const IsolationObservation& observation) {
  const auto promises = Promises();
  const auto promise = std::ranges::find(promises, id, &Promise::id);
  EXPECT_NE(promise, promises.end()) << id;
  return promise->judge(observation);
}

struct Breach {
  const char* id;
  CheckStatus status;
  const char* message;
  std::function<void(IsolationObservation&)> commit;
};

class PromiseTest : public ::testing::TestWithParam<Breach> {};

TEST_P(PromiseTest, IsKeptAndSeenToBeBroken) {
  IsolationObservation observation = Perfect();
  EXPECT_EQ(VerdictOf(GetParam().id, observation).status, CheckStatus::kPass);
  GetParam().commit(observation);
  const Verdict verdict = VerdictOf(GetParam().id, observation);
  EXPECT_EQ(verdict.status, GetParam().status);
  EXPECT_THAT(verdict.message, HasSubstr(GetParam().message));
  for (const Promise& promise : Promises()) {
    if (promise.id != GetParam().id && GetParam().status == CheckStatus::kFail) {
      EXPECT_NE(promise.judge(observation).status, CheckStatus::kFail) << promise.id;
    }
  }
}

std::vector<Breach> Breaches() {
  return {
      {"promise.tree", CheckStatus::kFail, "spawner does not run",
       [](IsolationObservation& o) {
         std::erase_if(o.processes, [](const auto& p) { return p.name == "spawner"; });
       }},
      {"promise.tree", CheckStatus::kFail, "unknown_0 runs /tmp/sh",
       [](IsolationObservation& o) {
         o.processes.push_back(MakeProcess("unknown_0", 1, "x"));
         o.processes.back().program.path = "/tmp/sh";
         o.reported->processes["unknown_0"] = {true, "supervisor", "getppid", 0};
         o.reported.reset();
       }},
      {"promise.tree", CheckStatus::kFail, "spawner runs twice",
       [](IsolationObservation& o) {
         const ProcessView twin = Process(o, "spawner");
         o.processes.push_back(twin);
       }},
      {"promise.tree", CheckStatus::kFail, "auth_agent runs twice",
       [](IsolationObservation& o) {
         const ProcessView twin = Process(o, "auth_agent");
         o.processes.push_back(twin);
       }},
      {"promise.users", CheckStatus::kFail, "supervisor, the workers share the user 902",
       [](IsolationObservation& o) {
         Process(o, "worker_0").uids = Process(o, "supervisor").uids;
       }},
      {"promise.users", CheckStatus::kFail, "worker_0 can change between users",
       [](IsolationObservation& o) {
         Process(o, "worker_0").uids.insert(0);
       }},
      {"promise.users", CheckStatus::kWarn, "spawner can open every file of the user, and so can",
       [](IsolationObservation& o) {
         o.reported->level = "single-user";
       }},
      {"promise.users", CheckStatus::kWarn, "supervisor runs as root",
       [](IsolationObservation& o) {
         Process(o, "supervisor").uids = {0};
         Process(o, "spawner").uids = {0};
       }},
      {"promise.filters", CheckStatus::kPass, "besides 1 that a container",
       [](IsolationObservation& /*o*/) {
       }},
      {"promise.privileges", CheckStatus::kFail, "supervisor has capabilities",
       [](IsolationObservation& o) {
         Process(o, "supervisor").confinement.capabilities = 1U << 7U;
       }},
      {"promise.privileges", CheckStatus::kFail, "spawner has capabilities",
       [](IsolationObservation& o) {
         Process(o, "spawner").confinement.capabilities = 1U << 1U;
       }},
      {"promise.privileges", CheckStatus::kFail, "worker_0 can gain privileges",
       [](IsolationObservation& o) {
         Process(o, "worker_0").confinement.no_new_privileges = false;
       }},
      {"promise.filters", CheckStatus::kFail, "worker_0 has 2 filters, not 3",
       [](IsolationObservation& o) {
         Process(o, "worker_0").confinement.filters = 2;
       }},
      {"promise.filters", CheckStatus::kFail, "worker_0 has no filter of its own",
       [](IsolationObservation& o) {
         Process(o, "worker_0").confinement.seccomp_filter = false;
       }},
      {"promise.filters", CheckStatus::kFail, "worker_0 has no filter of its own",
       [](IsolationObservation& o) {
         o.reported->processes["worker_0"].filter = "spawner";
       }},
      {"promise.filters", CheckStatus::kFail, "auth_agent has not proved",
       [](IsolationObservation& o) {
         o.reported->processes["auth_agent"].refused = "";
       }},
      {"promise.filters", CheckStatus::kWarn, "does not say",
       [](IsolationObservation& o) {
         o.reported.reset();
       }},
      {"promise.filters", CheckStatus::kWarn, "does not say how many",
       [](IsolationObservation& o) {
         for (ProcessView& process : o.processes) {
           process.confinement.filters.reset();
         }
       }},
      {"promise.filters", CheckStatus::kWarn, "does not say how many",
       [](IsolationObservation& o) {
         Process(o, "worker_1").confinement.filters.reset();
       }},
      {"promise.filters", CheckStatus::kFail, "worker_0 has not proved",
       [](IsolationObservation& o) {
         Process(o, "worker_0").confinement.filters.reset();
         o.reported->processes["worker_0"].refused = "";
       }},
      {"promise.memory", CheckStatus::kFail, "can read the memory of worker_0",
       [](IsolationObservation& o) {
         o.readable_processes->push_back("worker_0");
       }},
      {"promise.memory", CheckStatus::kFail, "could not be tried",
       [](IsolationObservation& o) {
         o.readable_processes.reset();
       }},
      {"promise.programs", CheckStatus::kWarn, "bao-kms-worker can be read",
       [](IsolationObservation& o) {
         Process(o, "worker_0").program.mode = 0555;
       }},
      {"promise.programs", CheckStatus::kWarn, "bao-kms-spawner can be read",
       [](IsolationObservation& o) {
         Process(o, "spawner").program.owner = kService;
       }},
      {"promise.programs", CheckStatus::kFail, "sysctl --write fs.suid_dumpable=0",
       [](IsolationObservation& o) {
         o.starts_dumpable = true;
       }},
      {"promise.programs", CheckStatus::kWarn, "/opt/bao-kms-worker, or a directory above it,",
       [](IsolationObservation& o) {
         o.changeable_programs = {"/opt/bao-kms-worker"};
         o.reported->processes["supervisor"].landlock_abi = 0;
       }},
      {"promise.programs", CheckStatus::kPass, "",
       [](IsolationObservation& o) {
         o.changeable_programs = {"/opt/bao-kms-worker"};
       }},
      {"promise.programs", CheckStatus::kFail, "bao-kms-provider can be changed",
       [](IsolationObservation& o) {
         Process(o, "supervisor").program.mode = 0775;
       }},
      {"promise.traces", CheckStatus::kFail, "spawner: Max core file size is unlimited",
       [](IsolationObservation& o) {
         Process(o, "spawner").limits["Max core file size"] = "unlimited";
       }},
      {"promise.traces", CheckStatus::kFail, "auth_agent: Max file size is unlimited",
       [](IsolationObservation& o) {
         Process(o, "auth_agent").limits["Max file size"] = "unlimited";
       }},
      {"promise.limits", CheckStatus::kFail, "worker_0: Max data size is unlimited",
       [](IsolationObservation& o) {
         Process(o, "worker_0").limits["Max data size"] = "unlimited";
       }},
      {"promise.limits", CheckStatus::kFail, "worker_0: Max address space is unlimited",
       [](IsolationObservation& o) {
         Process(o, "worker_0").limits["Max address space"] = "unlimited";
       }},
      {"promise.limits", CheckStatus::kFail, "auth_agent: Max address space is 536870913",
       [](IsolationObservation& o) {
         Process(o, "auth_agent").limits["Max address space"] = "536870913";
       }},
      {"promise.limits", CheckStatus::kFail, "auth_agent: Max open files is 1024, not 96",
       [](IsolationObservation& o) {
         Process(o, "auth_agent").limits["Max open files"] = "1024";
       }},
      {"promise.limits", CheckStatus::kFail, "worker_0: Max open files is unknown",
       [](IsolationObservation& o) {
         Process(o, "worker_0").limits.erase("Max open files");
       }},
      {"promise.descriptors", CheckStatus::kFail, "worker_0 has 1 open of kind file",
       [](IsolationObservation& o) {
         Process(o, "worker_0").descriptors["file"] = 1;
       }},
      {"promise.descriptors", CheckStatus::kFail, "auth_agent has 1 open of kind file",
       [](IsolationObservation& o) {
         Process(o, "auth_agent").descriptors["file"] = 1;
       }},
      {"promise.descriptors", CheckStatus::kFail, "auth_agent has 1 open of kind file",
       [](IsolationObservation& o) {
         o.reported->level = "single-user";
         o.credential_from_systemd = true;
         Process(o, "auth_agent").descriptors["file"] = 1;
       }},
      {"promise.descriptors", CheckStatus::kPass, "",
       [](IsolationObservation& o) {
         o.credential_from_systemd = true;
         Process(o, "auth_agent").descriptors["file"] = 1;
       }},
      {"promise.descriptors", CheckStatus::kFail, "spawner has 2 open of kind tcp",
       [](IsolationObservation& o) {
         Process(o, "spawner").descriptors["tcp"] = 2;
       }},
      {"promise.descriptors", CheckStatus::kFail, "auth_agent has 1 open of kind tcp_listener",
       [](IsolationObservation& o) {
         Process(o, "auth_agent").descriptors["tcp_listener"] = 1;
       }},
      {"promise.descriptors", CheckStatus::kFail, "worker_0 has 1 open of kind netlink",
       [](IsolationObservation& o) {
         Process(o, "worker_0").descriptors["netlink"] = 1;
       }},
      {"promise.descriptors", CheckStatus::kFail, "spawner has 1 open of kind proc_other",
       [](IsolationObservation& o) {
         Process(o, "spawner").descriptors["proc_other"] = 1;
       }},
      {"promise.secret_pages", CheckStatus::kFail, "worker_0 has no locked memory",
       [](IsolationObservation& o) {
         Process(o, "worker_0").locked_kib = 0;
         Process(o, "worker_0").secret_kib = 0;
       }},
      {"promise.secret_pages", CheckStatus::kWarn, "locked pages, which root can read, in worker_0",
       [](IsolationObservation& o) {
         Process(o, "worker_0").secret_kib = 0;
       }},
      {"promise.secret_pages", CheckStatus::kWarn,
       "locked pages, which root can read, in worker_0 (besides memfd_secret)",
       [](IsolationObservation& o) {
         Process(o, "worker_0").locked_kib = 12;
       }},
      {"promise.secret_pages", CheckStatus::kPass, "memfd_secret",
       [](IsolationObservation& o) {
         o.module = true;
         Process(o, "auth_agent").locked_kib = 12;
       }},
      {"promise.landlock", CheckStatus::kWarn, "not in force for supervisor",
       [](IsolationObservation& o) {
         o.reported->processes["supervisor"].landlock_abi = 0;
       }},
      {"promise.landlock", CheckStatus::kWarn,
       "supervisor, ABI 1: no limit to truncating files (from Linux 6.2), TCP ports (from "
       "Linux 6.7), abstract sockets and signals (from Linux 6.12)",
       [](IsolationObservation& o) {
         o.reported->processes["supervisor"].landlock_abi = 1;
       }},
      {"promise.landlock", CheckStatus::kWarn,
       "auth_agent, ABI 5: no limit to abstract sockets and signals (from Linux 6.12)",
       [](IsolationObservation& o) {
         o.reported->processes["auth_agent"].landlock_abi = 5;
       }},
      {"promise.credentials", CheckStatus::kWarn, "can read the file of auth.jwt.jwtFile",
       [](IsolationObservation& o) {
         o.credential_readable = true;
       }},
      {"promise.credentials", CheckStatus::kPass, "but Landlock keeps",
       [](IsolationObservation& o) {
         o.credential_readable = true;
         o.reported->credential_readable = false;
       }},
      {"promise.credentials", CheckStatus::kWarn, "can read the file of auth.jwt.jwtFile",
       [](IsolationObservation& o) {
         o.credential_readable = true;
         o.reported.reset();
       }},
      {"promise.credentials", CheckStatus::kFail, "could not be tried",
       [](IsolationObservation& o) {
         o.credential_readable.reset();
       }},
      {"promise.configuration", CheckStatus::kWarn, "the file of auth.cert.pkcs11.modulePath, or",
       [](IsolationObservation& o) {
         o.changeable_files = {"--config", "auth.cert.pkcs11.modulePath"};
       }},
      {"promise.verification", CheckStatus::kWarn, "isolation.verifyDecrypt is off",
       [](IsolationObservation& o) {
         o.verify_decrypt = VerifyDecrypt::kOff;
       }},
      {"promise.verification", CheckStatus::kPass, "before they are given",
       [](IsolationObservation& o) {
         o.verify_decrypt = VerifyDecrypt::kAlways;
       }},
      {"promise.verification", CheckStatus::kWarn, "isolation.workers is 1",
       [](IsolationObservation& o) {
         o.workers = 1;
         o.verify_decrypt = VerifyDecrypt::kAlways;
       }},
      {"promise.verification", CheckStatus::kWarn, "no second worker at the moment",
       [](IsolationObservation& o) {
         std::erase_if(o.processes, [](const auto& p) { return p.name == "worker_1"; });
       }},
      {"promise.network", CheckStatus::kWarn, "has no list of addresses",
       [](IsolationObservation& o) {
         o.address_filter = AddressFilter::kNone;
       }},
      {"promise.network", CheckStatus::kWarn, "unknown",
       [](IsolationObservation& o) {
         o.address_filter = AddressFilter::kUnknown;
       }},
      {"promise.pin", CheckStatus::kFail, "the PIN latch is not readable",
       [](IsolationObservation& o) {
         o.pin_latch = Error(ErrorCode::kInvalidArgument, "broken");
       }},
      {"promise.pin", CheckStatus::kWarn, "the token refused the PIN; it is not tried again",
       [](IsolationObservation& o) {
         o.pin_latch = std::optional(PinRecord{.kind = PinRecord::Kind::kRefused, .tag = 0x7000});
       }},
      {"promise.pin", CheckStatus::kWarn, "how that ended is not known",
       [](IsolationObservation& o) {
         o.pin_latch = std::optional(PinRecord{.tag = 0x7000});
       }},
      {"promise.pin", CheckStatus::kWarn, "tells 16 bits",
       [](IsolationObservation& o) {
         o.pin_latch = std::optional(PinRecord{.tag = 0x7001});
       }},
  };
}

INSTANTIATE_TEST_SUITE_P(All, PromiseTest, ::testing::ValuesIn(Breaches()));

TEST(PromisesTest, EachIsSeenToBeBroken) {
  const std::vector<Breach> breaches = Breaches();
  for (const Promise& promise : Promises()) {
    EXPECT_TRUE(std::ranges::any_of(breaches, [&](const Breach& breach) {
      return breach.id == promise.id;
    })) << promise.id;
  }
}

TEST(PromisesTest, GiveTheSpawnerWhatItNeedsForSeparateUsers) {
  IsolationObservation observation = Perfect();
  Process(observation, "spawner").confinement.capabilities = (1U << 6U) | (1U << 7U);
  EXPECT_EQ(VerdictOf("promise.privileges", observation).status, CheckStatus::kPass);
  observation.reported->level = "single-user";
  EXPECT_EQ(VerdictOf("promise.privileges", observation).status, CheckStatus::kFail);
}

TEST(PromisesTest, AllowLowerLimitsOfTheService) {
  IsolationObservation observation = Perfect();
  Process(observation, "worker_0").limits["Max open files"] = "64";
  EXPECT_EQ(VerdictOf("promise.limits", observation).status, CheckStatus::kPass);
}

TEST(PromisesTest, AllowAModuleWhatItNeeds) {
  IsolationObservation observation = Perfect();
  observation.module = true;
  observation.pin_latch = std::optional<PinRecord>();
  observation.module_writes = true;
  ProcessView& agent = Process(observation, "auth_agent");
  agent.limits["Max file size"] = "unlimited";
  agent.limits["Max open files"] = "512";
  agent.limits["Max data size"] = "536870912";
  agent.limits["Max address space"] = "17179869184";
  agent.descriptors["file"] = 4;
  agent.confinement.filters = 5;
  observation.reported->processes["auth_agent"].filter = "auth_agent_pkcs11";
  for (const Promise& promise : Promises()) {
    EXPECT_EQ(promise.judge(observation).status, CheckStatus::kPass) << promise.id;
  }
  EXPECT_THAT(VerdictOf("promise.limits", observation).message, HasSubstr("may map shared memory"));
}

TEST(PromisesTest, WhatLastsIsDescribedWithoutConnectionsAndLockedMemory) {
  IsolationObservation observation = Perfect();
  const ProcessView& worker = Process(observation, "worker_0");
  ProcessView busy = worker;
  busy.descriptors["tcp"] = 2;
  busy.descriptors["stream"] = 1;
  busy.descriptors["udp"] = 1;
  busy.descriptors["socket"] = 1;
  busy.locked_kib += 4;
  EXPECT_NE(DescribeProcess(worker, observation), DescribeProcess(busy, observation));
  EXPECT_EQ(DescribeLasting(worker, observation), DescribeLasting(busy, observation));
  busy.descriptors["file"] = 1;
  EXPECT_NE(DescribeLasting(worker, observation), DescribeLasting(busy, observation));
}

TEST(PromisesTest, ShowTheFactsOfEachProcess) {
  const IsolationObservation observation = Perfect();
  CheckReport report{.name = "isolation"};
  AddVerdicts(observation, report);
  EXPECT_FALSE(report.Failed());
  ASSERT_GE(report.checks.size(), 4U);
  EXPECT_EQ(report.checks[3].id, "process.worker_0");
  EXPECT_EQ(
      report.checks[3].message,
      "pid 10; uid 903; gid 900; groups none; capabilities 0x0; no_new_privs; seccomp filters "
      "3, the last worker, refused dup3; Landlock none; not dumpable, locked 8 KiB, of "
      "these memfd_secret 8 KiB; descriptors 1 eventpoll, 3 null, 2 seqpacket; limits core 0, "
      "fsize 0, "
      "nofile 96, data 134217728, as 536870912, memlock unknown");
}

}  // namespace
}  // namespace baokms::supervisor
