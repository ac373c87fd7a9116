// What the kernel says of the real processes once they serve, to the user that they run as. A
// filter or limit that one of them leaves out would not be missed otherwise: it inherits the
// spawner's.

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <grp.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/secret_pages.h"
#include "common/base/unique_fd.h"
#include "ipc/child_descriptors.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "tests/openbao/test_pki.h"
#include "tests/supervisor/children/peer.h"
#include "tests/supervisor/spawner/real_spawner.h"
#include "tests/worker/setups.h"

namespace baokms::supervisor {
namespace {

ipc::AgentSetup MakeAgentSetup(const ipc::WorkerSetup& worker) {
  ipc::AgentSetup setup;
  *setup.mutable_openbao() = worker.openbao();
  setup.set_workers(1);
  setup.set_auth_mount("auth/jwt");
  setup.set_login_timeout_ns(worker.login_timeout_ns());
  setup.set_longest_backoff_ns(worker.longest_backoff_ns());
  setup.set_log_level(1);
  setup.set_login_budget_per_minute(10);
  setup.mutable_jwt_file()->set_path("/nonexistent/jwt");
  setup.mutable_jwt()->set_role("kms");
  return setup;
}

std::string ReadProc(std::int64_t pid, const std::string& file) {
  std::ifstream stream("/proc/" + std::to_string(pid) + "/" + file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// The words after `name` in the line that begins with it.
std::vector<std::string> Words(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name)) {
      std::istringstream words(line.substr(name.size()));
      return {std::istream_iterator<std::string>(words), {}};
    }
  }
  return {};
}

std::int64_t Number(std::int64_t pid, const std::string& name) {
  const std::vector<std::string> words = Words(ReadProc(pid, "status"), name);
  return words.empty() ? -1 : std::stoll(words[0]);
}

// Filters that the process has besides those of a container, in which this test may run.
std::int64_t OwnFilters(std::int64_t pid) {
  return Number(pid, "Seccomp_filters:") - Number(::getpid(), "Seccomp_filters:");
}

// The soft limit. The hard one equals it, or the process could raise it.
std::string Limit(std::int64_t pid, const std::string& name) {
  const std::vector<std::string> words = Words(ReadProc(pid, "limits"), name);
  return words.size() > 1 && words[0] == words[1] ? words[0] : "not a hard limit";
}

// The spawner with a worker and an agent whose filters are in force. They run as a user without
// capabilities; their programs are readable, so that exec itself does not protect their memory.
class ConfinedProcessesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const HelperPrograms programs = copies_.Install(0755);
    if (was_root_) {
      ASSERT_EQ(::setgroups(0, nullptr), 0);
      ASSERT_EQ(::setresgid(kNobody, kNobody, 0), 0);
      ASSERT_EQ(::setresuid(kNobody, kNobody, 0), 0);
    }
    const openbao::TestAuthority authority("authority");
    const ipc::WorkerSetup setup = worker::MakeSetup(authority.CertificatePem());
    spawner_.emplace(1, programs, setup, MakeAgentSetup(setup));
    agent_ = Start(ipc::ROLE_AUTH_AGENT, agent_channel_);
    worker_ = Start(ipc::ROLE_WORKER, worker_channel_);
    spawner_pid_ = Number(worker_, "PPid:");
  }

  void TearDown() override {
    spawner_.reset();
    if (!spawner_ended_) {
      EXPECT_EQ(ExitCodeOfSpawner(), static_cast<int>(ipc::ExitCode::kSupervisorGone));
    }
    BecomeRoot();
  }

  void BecomeRoot() const {
    if (was_root_) {
      ASSERT_EQ(::setresuid(0, 0, 0), 0);
      ASSERT_EQ(::setresgid(0, 0, 0), 0);
    }
  }

  // Starts a child and waits until it says that its filter is in force. Returns its process.
  std::int64_t Start(ipc::Role role, std::optional<Peer>& channel) {
    channel.emplace(spawner_->Spawn(role, 0));
    const auto spawned = spawner_->Await<ipc::Spawned>(ipc::MessageType::kSpawned);
    const BootTime limit = BootNow() + std::chrono::seconds(10);
    while (!channel->Receive<ipc::ConfinementReport>(ipc::MessageType::kConfinementReport)) {
      if (BootNow() >= limit) {
        ADD_FAILURE() << "a child does not report its filter";
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return spawned ? spawned->pid() : 0;
  }

  const bool was_root_ = ::geteuid() == 0;
  CopiedPrograms copies_;
  std::optional<RealSpawner> spawner_;
  std::optional<Peer> agent_channel_;
  std::optional<Peer> worker_channel_;
  std::int64_t spawner_pid_ = 0;
  std::int64_t agent_ = 0;
  std::int64_t worker_ = 0;
  bool spawner_ended_ = false;
};

TEST_F(ConfinedProcessesTest, HaveAsManyFiltersAsDocumented) {
  EXPECT_EQ(OwnFilters(spawner_pid_), 1);
  EXPECT_EQ(OwnFilters(worker_), 2);
  EXPECT_EQ(OwnFilters(agent_), 2);
}

TEST_F(ConfinedProcessesTest, CannotLeaveTheirLimits) {
  for (const std::int64_t pid : {spawner_pid_, worker_, agent_}) {
    EXPECT_EQ(Limit(pid, "Max core file size"), "0");
    EXPECT_EQ(Number(pid, "NoNewPrivs:"), 1);
  }
  for (const std::int64_t pid : {worker_, agent_}) {
    EXPECT_EQ(Limit(pid, "Max file size"), "0");
    EXPECT_EQ(Limit(pid, "Max open files"), "96");
    EXPECT_EQ(Limit(pid, "Max address space"), std::to_string(512 << 20));
  }
  EXPECT_EQ(Limit(worker_, "Max data size"), std::to_string(128 << 20));
  EXPECT_EQ(Limit(agent_, "Max data size"), std::to_string(96 << 20));
}

// Nor can the user read anything else that only a process that may be traced shows.
TEST_F(ConfinedProcessesTest, KeepTheirMemoryFromTheirUser) {
  for (const std::int64_t pid : {spawner_pid_, worker_, agent_}) {
    for (const char* file : {"environ", "mem", "maps"}) {
      const std::string path = "/proc/" + std::to_string(pid) + "/" + file;
      const UniqueFd opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
      EXPECT_FALSE(opened.valid()) << path;
      EXPECT_EQ(errno, EACCES) << path;
    }
  }
}

// The address where the process' reserved pages begin; 0 if it has none.
std::uint64_t SecretMemoryOf(std::int64_t pid) {
  std::istringstream lines(ReadProc(pid, "maps"));
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with(" /secretmem (deleted)")) {
      return std::stoull(line, nullptr, 16);
    }
  }
  return 0;
}

// The buffers of the channels are the first secrets that a child allocates.
TEST_F(ConfinedProcessesTest, KeepTheirSecretsFromRoot) {
  if (!was_root_) {
    GTEST_SKIP() << "only root may try";
  }
  BecomeRoot();
  EXPECT_EQ(SecretMemoryOf(spawner_pid_), 0U);
  for (const std::int64_t pid : {worker_, agent_}) {
    const std::uint64_t begin = SecretMemoryOf(pid);
    ASSERT_NE(begin, 0U) << "needs memfd_secret(2)";
    const std::string process = "/proc/" + std::to_string(pid);
    const UniqueFd memory(::open((process + "/mem").c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(memory.valid());
    for (std::uint64_t page = 0; page < kReservedSecretBytes; page += kSecretPage) {
      char byte = 0;
      EXPECT_EQ(::pread(memory.get(), &byte, 1, static_cast<off_t>(begin + page)), -1);
      EXPECT_EQ(::pwrite(memory.get(), &byte, 1, static_cast<off_t>(begin + page)), -1);
    }
    std::ostringstream range;
    range << std::hex << begin << '-' << begin + kReservedSecretBytes;
    const std::string file = process + "/map_files/" + range.str();
    EXPECT_FALSE(UniqueFd(::open(file.c_str(), O_RDWR | O_CLOEXEC)).valid());
    EXPECT_EQ(errno, ENXIO) << file;
    for (const auto& entry : std::filesystem::directory_iterator(process + "/fd")) {
      EXPECT_EQ(std::filesystem::read_symlink(entry).string().find("secretmem"), std::string::npos);
    }
  }
}

#if defined(__x86_64__)

constexpr std::uint64_t kSyscallSize = 2;  // 0x0f 0x05

// Stops the process in the call in which its event loop waits.
bool StopInEpollWait(pid_t pid, user_regs_struct& registers) {
  int status = 0;
  if (::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) != 0 ||
      ::waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status) ||
      ::ptrace(PTRACE_GETREGS, pid, nullptr, &registers) != 0) {
    ADD_FAILURE() << "ptrace: " << errno;
    return false;
  }
  return registers.orig_rax == SYS_epoll_wait || registers.orig_rax == SYS_epoll_pwait;
}

// Has the process make a system call with zeros as arguments, as code that took it over would.
void MakeCall(std::int64_t process, std::uint64_t number) {
  const auto pid = static_cast<pid_t>(process);
  ASSERT_EQ(::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr), 0) << errno;
  user_regs_struct registers{};
  const BootTime limit = BootNow() + std::chrono::seconds(10);
  while (!StopInEpollWait(pid, registers)) {
    ASSERT_LT(BootNow(), limit);
    ASSERT_EQ(::ptrace(PTRACE_CONT, pid, nullptr, nullptr), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  registers.rip -= kSyscallSize;
  registers.rax = number;
  registers.orig_rax = ~std::uint64_t{0};  // the kernel restarts nothing
  registers.rdi = registers.rsi = registers.rdx = registers.r10 = 0;
  ASSERT_EQ(::ptrace(PTRACE_SETREGS, pid, nullptr, &registers), 0);
  ASSERT_EQ(::ptrace(PTRACE_DETACH, pid, nullptr, nullptr), 0);
}

// dup3(2) is for the spawner's use alone, and chdir(2) for nobody's.
TEST_F(ConfinedProcessesTest, EndWhenTheyMakeACallOutsideOfTheirOwnFilter) {
  if (!was_root_) {
    GTEST_SKIP() << "only root may trace these processes";
  }
  BecomeRoot();
  for (const std::int64_t pid : {worker_, agent_}) {
    MakeCall(pid, SYS_dup3);
    const auto exited = spawner_->Await<ipc::Exited>(ipc::MessageType::kExited);
    ASSERT_TRUE(exited.has_value());
    EXPECT_EQ(exited->pid(), pid);
    EXPECT_EQ(exited->wait_status(), static_cast<int>(ipc::ExitCode::kRefusedSyscall) << 8);
  }
  MakeCall(spawner_pid_, SYS_chdir);
  EXPECT_EQ(ExitCodeOfSpawner(), static_cast<int>(ipc::ExitCode::kRefusedSyscall));
  spawner_ended_ = true;
}

#endif

}  // namespace
}  // namespace baokms::supervisor
