// Enters the auth agent's real filter in a forked child and tries what an attacker would.

#include "authagent/sandbox.h"

#include <sys/stat.h>
#include <seccomp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "common/base/result.h"
#include "common/base/safe_path.h"
#include "common/base/seccomp_policy.h"
#include "proto/setup.pb.h"
#include "tests/base/deeds.h"
#include "tests/base/filtered_child.h"

namespace baokms::authagent {
namespace {

namespace fs = std::filesystem;

// A credential as Kubernetes projects one: the path's last part is a symbolic link.
class ProjectedFile final {
 public:
  ProjectedFile() {
    std::string name = "/tmp/agent_sandbox_XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    std::ofstream(root_ / "version-1") << "credential";
    fs::permissions(root_ / "version-1", fs::perms::owner_read);
    fs::create_symlink("version-1", root_ / "jwt");
  }

  ProjectedFile(const ProjectedFile&) = delete;
  ProjectedFile& operator=(const ProjectedFile&) = delete;

  ~ProjectedFile() { fs::remove_all(root_); }

  [[nodiscard]] int Read() const {
    const Opened file =
        OpenFileByRules((root_ / "jwt").string(),
                        {.forbidden_bits = 0037, .max_size = 64, .own_user = ::geteuid()});
    if (!file.fd.valid()) {
      return EIO;
    }
    char first = 0;
    return ::read(file.fd.get(), &first, 1) == 1 ? 0 : errno;
  }

 private:
  fs::path root_;
};

TEST(AgentSandboxTest, LetsItsOrdinaryWorkThrough) {
  ExpectAllowed(EnterSandbox, UseMemory);
}

TEST(AgentSandboxTest, ReadsItsCredentialThroughASymbolicLink) {
  const ProjectedFile credential;
  ExpectAllowed(EnterSandbox, [&] { return credential.Read(); });
}

TEST(AgentSandboxTest, WritesAndCreatesNoFile) {
  ExpectReported(EnterSandbox, OpenForWriting, SCMP_SYS(openat));
  ExpectReported(EnterSandbox, CreateFile, SCMP_SYS(openat));
  ExpectReported(EnterSandbox, CreateMemoryFile, SCMP_SYS(memfd_create));
  ExpectReported(EnterSandbox, MakeSecretMemory, SCMP_SYS(memfd_secret));
}

TEST(AgentSandboxTest, OpensNoSocket) {
  ExpectReported(EnterSandbox, OpenInternetSocket, SCMP_SYS(socket));
  ExpectReported(EnterSandbox, OpenUnixSocket, SCMP_SYS(socket));
  ExpectReported(EnterSandbox, MakeSocketPair, SCMP_SYS(socketpair));
}

TEST(AgentSandboxTest, StartsNoProgramProcessOrThread) {
  ExpectReported(EnterSandbox, ExecuteProgram, SCMP_SYS(execve));
  ExpectReported(EnterSandbox, ExecuteDescriptor, SCMP_SYS(execveat));
  ExpectForkRefused(EnterSandbox);
  // libc prepares its own signals before the first clone().
  ExpectReported(EnterSandbox, StartThread, SCMP_SYS(rt_sigaction));
}

TEST(AgentSandboxTest, MakesNoMemoryExecutable) {
  ExpectReported(EnterSandbox, MapExecutableMemory, SCMP_SYS(mmap));
  ExpectReported(EnterSandbox, MakeMemoryExecutable, SCMP_SYS(mprotect));
}

TEST(AgentSandboxTest, MapsNoMemoryThatItsLimitDoesNotCount) {
  ExpectReported(EnterSandbox, MapSharedMemory, SCMP_SYS(mmap));
  ExpectReported(EnterSandbox, MapGrowingMemory, SCMP_SYS(mmap));
}

TEST(AgentSandboxTest, CannotReachAnotherProcess) {
  ExpectReported(EnterSandbox, SendSignal, SCMP_SYS(kill));
  ExpectKilled(EnterSandbox, TraceSelf);
  ExpectKilled(EnterSandbox, ReadMemoryAsPeer);
}

TEST(AgentSandboxTest, CannotWeakenItself) {
  ExpectReported(EnterSandbox, ReplaceHandler, SCMP_SYS(rt_sigaction));
  ExpectReported(EnterSandbox, ArmNewTimer, SCMP_SYS(timer_create));
  ExpectReported(EnterSandbox, BecomeDumpable, SCMP_SYS(prctl));
  ExpectReported(EnterSandbox, RaiseLimit, SCMP_SYS(prlimit64));
  ExpectKilled(EnterSandbox, UnshareDescriptors);
}

Status EnterLoading() {
  return EnterLoadingSandbox(ipc::ModuleAccess());
}

// Both stages, as the agent goes through them.
Status EnterServing() {
  BAOKMS_TRY(EnterLoading());
  return EnterModuleSandbox(ipc::ModuleAccess());
}

// The second stage as it is for the thread of vendor code.
Status EnterVendorThread() {
  SeccompPolicy policy = BAOKMS_TRY(BuildModulePolicy(ipc::ModuleAccess(), ModuleStage::kServing));
  return policy.Install();
}

TEST(ModuleSandboxTest, LetsAModuleLoadButNothingLeaveTheProcess) {
  ExpectAllowed(EnterLoading, UseMemory);
  ExpectAllowed(EnterLoading, ReadFile);
  ExpectAllowed(EnterLoading, MapExecutableMemory);
  ExpectReported(EnterLoading, ExecuteProgram, SCMP_SYS(execve));
  ExpectForkRefused(EnterLoading);
  ExpectReported(EnterLoading, ReplaceHandler, SCMP_SYS(rt_sigaction));
  ExpectReported(EnterLoading, BecomeDumpable, SCMP_SYS(prctl));
  ExpectKilled(EnterLoading, TraceSelf);
}

TEST(ModuleSandboxTest, TellsAModuleNoWhereItLivesOnWithout) {
  for (const auto& enter : {EnterLoading, EnterVendorThread}) {
    ExpectErrno(enter, OpenForWriting, EACCES);
    ExpectErrno(enter, CreateFile, EACCES);
    ExpectErrno(enter, OpenInternetSocket, EACCES);
    ExpectErrno(enter, OpenUnixSocket, EACCES);
  }
}

TEST(ModuleSandboxTest, MapsNoMoreCodeOnceItServes) {
  ExpectAllowed(EnterVendorThread, ReadFile);
  ExpectReported(EnterVendorThread, MapExecutableMemory, SCMP_SYS(mmap));
  ExpectReported(EnterVendorThread, MakeMemoryExecutable, SCMP_SYS(mprotect));
  ExpectForkRefused(EnterVendorThread);
  ExpectReported(EnterVendorThread, ExecuteDescriptor, SCMP_SYS(execveat));
}

// The C library's caches of user names and character sets, for example.
TEST(ModuleSandboxTest, LetsVendorCodeMapWhatOthersChange) {
  ExpectAllowed(EnterVendorThread, MapSharedMemory);
  ExpectReported(EnterServing, MapSharedMemory, SCMP_SYS(mmap));
}

TEST(ModuleSandboxTest, LeavesTheLoopsThreadWithTheFilterOfEveryAgent) {
  ExpectAllowed(EnterServing, UseMemory);
  ExpectReported(EnterServing, OpenForWriting, SCMP_SYS(openat));
  ExpectReported(EnterServing, MapExecutableMemory, SCMP_SYS(mmap));
  ExpectReported(EnterServing, BecomeDumpable, SCMP_SYS(prctl));
  ExpectKilled(EnterServing, UnshareDescriptors);
}

}  // namespace
}  // namespace baokms::authagent
