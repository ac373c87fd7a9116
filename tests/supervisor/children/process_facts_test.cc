#include "supervisor/children/process_facts.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/unique_fd.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {
namespace {

using Kind = ipc::ProcDescriptor;

std::string OwnStatus() {
  std::ostringstream text;
  text << std::ifstream("/proc/self/status").rdbuf();
  return text.str();
}

// As the kernel writes it, with what does not count left out.
constexpr const char* kConfined =
    "Name:\tbao-kms-worker\n"
    "Pid:\t4711\n"
    "Uid:\t901\t902\t903\t904\n"
    "CapInh:\t0000000000000000\n"
    "CapPrm:\t0000000000000000\n"
    "CapEff:\t0000000000000000\n"
    "CapBnd:\t000001ffffffffff\n"
    "CapAmb:\t0000000000000000\n"
    "NoNewPrivs:\t1\n"
    "Seccomp:\t2\n"
    "Seccomp_filters:\t2\n";

std::string Without(const std::string& name) {
  std::string text = kConfined;
  const std::size_t at = text.find("\n" + name) + 1;
  return text.erase(at, text.find('\n', at) + 1 - at);
}

std::string With(const std::string& from, const std::string& to) {
  std::string text = kConfined;
  return text.replace(text.find(from), from.size(), to);
}

TEST(ProcessFactsTest, ReadsAConfinedProcess) {
  const auto facts = ParseStatus(kConfined);
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->capabilities, 0U);
  EXPECT_TRUE(facts->no_new_privileges);
  EXPECT_TRUE(facts->seccomp_filter);
  EXPECT_EQ(facts->pid, 4711);
  EXPECT_EQ(facts->filters, 2U);
}

// Linux before 5.10 does not tell how many filters there are.
TEST(ProcessFactsTest, DoesNotNeedTheNumberOfFilters) {
  const auto facts = ParseStatus(Without("Seccomp_filters:"));
  ASSERT_TRUE(facts.has_value());
  EXPECT_TRUE(facts->seccomp_filter);
  EXPECT_FALSE(facts->filters.has_value());
}

TEST(ProcessFactsTest, SeesEveryCapabilitySetThatIsNotEmpty) {
  for (const std::string name : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    const auto facts =
        ParseStatus(With(name + ":\t0000000000000000", name + ":\t0000000000000080"));
    ASSERT_TRUE(facts.has_value()) << name;
    EXPECT_EQ(facts->capabilities, 0x80U) << name;
  }
}

TEST(ProcessFactsTest, SeesAMissingFilterOrFlag) {
  EXPECT_FALSE(ParseStatus(With("Seccomp:\t2", "Seccomp:\t0"))->seccomp_filter);
  EXPECT_FALSE(ParseStatus(With("NoNewPrivs:\t1", "NoNewPrivs:\t0"))->no_new_privileges);
}

TEST(ProcessFactsTest, SaysNothingWhenALineThatCountsIsMissing) {
  for (const char* name : {"CapInh:", "CapPrm:", "CapEff:", "CapAmb:", "NoNewPrivs:", "Seccomp:"}) {
    EXPECT_FALSE(ParseStatus(Without(name)).has_value()) << name;
  }
  EXPECT_FALSE(ParseStatus("").has_value());
  EXPECT_FALSE(ParseStatus("Uid:\t1").has_value());
}

// A process chooses its name, and the name comes first in the file.
TEST(ProcessFactsTest, IsNotFooledByAName) {
  const auto facts = ParseStatus(With("bao-kms-worker", "Seccomp:\t9"));
  ASSERT_TRUE(facts.has_value());
  EXPECT_TRUE(facts->seccomp_filter);
}

TEST(ProcessFactsTest, ReadsThisProcess) {
  const auto facts = ParseStatus(OwnStatus());
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->no_new_privileges, ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
  EXPECT_EQ(facts->seccomp_filter, ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2);
}

TEST(ProcessTableTest, ReadsDescriptorsAnewEachTime) {
  ProcessTable table;
  table.AddSelf();
  const auto before = table.Read();
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(before[0].process, "supervisor");
  ASSERT_TRUE(before[0].resident_bytes.has_value());
  const std::vector<char> grown(std::size_t{32} << 20U, 'x');
  EXPECT_GE(*table.Read()[0].resident_bytes, *before[0].resident_bytes + (16U << 20U));
  EXPECT_EQ(grown.back(), 'x');
}

TEST(ProcessTableTest, ShowsWhatEachProcessPassed) {
  ProcessTable table;
  table.Put("worker_0", Kind::KIND_STATUS,
            UniqueFd(::open("/proc/self/status", O_RDONLY | O_CLOEXEC)));
  auto facts = table.Read();
  ASSERT_EQ(facts.size(), 1U);
  ASSERT_TRUE(facts[0].confinement.has_value());
  EXPECT_FALSE(facts[0].resident_bytes.has_value()) << "no statm was passed";
  table.Forget("worker_0");
  EXPECT_TRUE(table.Read().empty());
}

// A status file as the kernel writes it, with so many filters.
UniqueFd StatusWith(std::uint32_t filters) {
  const std::string text =
      With("Seccomp_filters:\t2", "Seccomp_filters:\t" + std::to_string(filters));
  UniqueFd file(::memfd_create("status", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  return file;
}

// What the table says of a process with so many filters besides the inherited ones.
ProcessFacts Judged(const std::string& process,
                    const std::string& filter,
                    std::uint32_t filters,
                    std::uint32_t refused_syscall = 1) {
  ProcessTable table;
  table.AddSelf();
  table.Put(process, Kind::KIND_STATUS,
            StatusWith(table.inherited_filters().value_or(0) + filters));
  table.Report(process, {.filter = filter, .landlock_abi = 0, .refused_syscall = refused_syscall});
  for (ProcessFacts& facts : table.Read()) {
    if (facts.process == process) {
      return std::move(facts);
    }
  }
  return {};
}

TEST(ProcessTableTest, WantsTheDocumentedNumberOfFilters) {
  struct Row {
    const char* process;
    const char* filter;
    std::uint32_t filters;
  };

  for (const Row& row :
       {Row{"spawner", "spawner", 1}, Row{"worker_7", "worker", 2},
        Row{"auth_agent", "auth_agent", 2}, Row{"auth_agent", "auth_agent_pkcs11_loading", 2},
        Row{"auth_agent", "auth_agent_pkcs11", 4}}) {
    EXPECT_TRUE(Judged(row.process, row.filter, row.filters).Confined()) << row.filter;
    EXPECT_FALSE(Judged(row.process, row.filter, row.filters - 1).Confined()) << row.filter;
    EXPECT_FALSE(Judged(row.process, row.filter, row.filters + 1).Confined()) << row.filter;
  }
}

TEST(ProcessTableTest, WantsNoCapabilityThatIsNotPermitted) {
  const std::string text = With("CapEff:\t0000000000000000", "CapEff:\t00000000000000c0");
  UniqueFd status(::memfd_create("status", MFD_CLOEXEC));
  ASSERT_EQ(::write(status.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ProcessTable table;
  table.Put("spawner", Kind::KIND_STATUS, std::move(status));
  EXPECT_FALSE(table.Read()[0].capabilities_as_permitted);
  table.Permit("worker_0", kUserCapabilities);
  EXPECT_FALSE(table.Read()[0].capabilities_as_permitted);
  table.Permit("spawner", 0x80);
  EXPECT_FALSE(table.Read()[0].capabilities_as_permitted);
  table.Permit("spawner", kUserCapabilities);
  EXPECT_TRUE(table.Read()[0].capabilities_as_permitted);
}

TEST(ProcessTableTest, WantsTheFilterOfTheRole) {
  EXPECT_FALSE(Judged("worker_0", "auth_agent", 2).Confined());
  EXPECT_FALSE(Judged("worker_0", "spawner", 1).Confined());
  EXPECT_FALSE(Judged("worker_0", "", 2).Confined());
}

// The number says that there are filters, not that they refuse anything.
TEST(ProcessTableTest, WantsTheEffectAsWellAsTheNumber) {
  EXPECT_TRUE(Judged("worker_0", "worker", 2).filters_in_force);
  EXPECT_FALSE(Judged("worker_0", "worker", 2, 0).filters_in_force);
}

TEST(ProcessTableTest, JudgesBeforeTheSupervisorHasAFilterOfItsOwn) {
  ProcessTable table;
  table.AddSelf();
  ASSERT_EQ(table.Read().size(), 1U);
  EXPECT_FALSE(table.Read()[0].Confined());
  table.ReportSelf({.filter = "supervisor", .landlock_abi = 0, .refused_syscall = 1});
  EXPECT_FALSE(table.Read()[0].Confined()) << "it says so, and the kernel does not";
}

// Only the kernel's word counts.
TEST(ProcessTableTest, CallsNoProcessConfinedWithoutItsFile) {
  ProcessTable table;
  table.Report("worker_0", {.filter = "worker", .landlock_abi = 0, .refused_syscall = 1});
  table.Put("worker_1", Kind::KIND_STATUS, UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  ASSERT_EQ(table.Read().size(), 2U);
  for (const ProcessFacts& facts : table.Read()) {
    EXPECT_FALSE(facts.confinement.has_value()) << facts.process;
    EXPECT_FALSE(facts.Confined()) << facts.process;
  }
}

}  // namespace
}  // namespace baokms::supervisor
