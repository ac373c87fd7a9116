#include "tests/base/deeds.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <thread>

#include "common/base/clock.h"
#include "common/base/secret_buffer.h"
#include "common/base/secret_pages.h"
#include "common/base/unique_fd.h"

namespace baokms {
namespace {

constexpr std::size_t kPage = 4096;

int ErrnoOf(long result) {
  return result < 0 ? errno : 0;
}

int ErrnoOfDescriptor(int descriptor) {
  const int error = ErrnoOf(descriptor);
  const UniqueFd closing(descriptor);
  return error;
}

int OpenSocket(int family, int type) {
  return ErrnoOfDescriptor(::socket(family, type | SOCK_CLOEXEC, 0));
}

}  // namespace

int OpenInternetSocket() {
  return OpenSocket(AF_INET, SOCK_STREAM);
}

int OpenUnixSocket() {
  return OpenSocket(AF_UNIX, SOCK_STREAM);
}

int OpenNetlinkSocket() {
  return OpenSocket(AF_NETLINK, SOCK_RAW);
}

int MakeSocketPair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return errno;
  }
  const UniqueFd first(ends[0]);
  const UniqueFd second(ends[1]);
  return 0;
}

int ExecuteProgram() {
  std::string name = "true";
  std::array<char*, 2> arguments = {name.data(), nullptr};
  return ErrnoOf(::execve("/bin/true", arguments.data(), nullptr));
}

int ExecuteDescriptor() {
  const UniqueFd program(::open("/bin/true", O_RDONLY | O_CLOEXEC));
  std::string name = "true";
  std::array<char*, 2> arguments = {name.data(), nullptr};
  return ErrnoOf(::execveat(program.get(), "", arguments.data(), nullptr, AT_EMPTY_PATH));
}

int ForkAndWait() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(0);
  }
  return child < 0 ? errno : ErrnoOf(::waitpid(child, nullptr, 0));
}

int CloneAndWait(unsigned long flags) {
  const long child = ::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, 0);
  if (child == 0) {
    ::_exit(0);
  }
  return child < 0 ? errno : ErrnoOf(::waitpid(static_cast<pid_t>(child), nullptr, 0));
}

int StartThread() {
  try {
    std::thread([] {}).join();
  } catch (const std::system_error& refused) {
    return refused.code().value();
  }
  return 0;
}

int MapExecutableMemory() {
  void* memory = ::mmap(nullptr, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? errno : ErrnoOf(::munmap(memory, kPage));
}

int MapSharedMemory() {
  void* memory = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? errno : ErrnoOf(::munmap(memory, kPage));
}

int MapGrowingMemory() {
  void* memory = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
  return memory == MAP_FAILED ? errno : ErrnoOf(::munmap(memory, kPage));
}

int MakeMemoryExecutable() {
  void* memory = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return errno;
  }
  return ErrnoOf(::mprotect(memory, kPage, PROT_READ | PROT_EXEC));
}

int ReadFile() {
  const UniqueFd file(::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  char first = 0;
  return file.valid() ? ErrnoOf(::read(file.get(), &first, 1)) : errno;
}

int CreateFile() {
  const std::string path = "/tmp/filter_deed_" + std::to_string(::getpid());
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  return file.valid() ? ErrnoOf(::unlink(path.c_str())) : errno;
}

int OpenForWriting() {
  return ErrnoOfDescriptor(::open("/dev/null", O_WRONLY | O_CLOEXEC));
}

int CreateMemoryFile() {
  return ErrnoOfDescriptor(::memfd_create("deed", MFD_CLOEXEC));
}

int MakeSecretMemory() {
  const UniqueFd fd(static_cast<int>(::syscall(SYS_memfd_secret, O_CLOEXEC)));
  return ErrnoOf(fd.valid() ? ::ftruncate(fd.get(), kReservedSecretBytes) : -1);
}

int ControlDevice() {
  int waiting = 0;
  return ErrnoOf(::ioctl(STDIN_FILENO, FIOCLEX, &waiting));
}

int TraceSelf() {
  return ErrnoOf(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
}

int ReadMemoryAsPeer() {
  int from = 1;
  int to = 0;
  const iovec remote{&from, sizeof from};
  const iovec local{&to, sizeof to};
  return ErrnoOf(::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0));
}

int UnshareDescriptors() {
  return ErrnoOf(::unshare(CLONE_FILES));
}

int ReadDescriptorTable() {
  std::array<std::uint8_t, 64> table{};
  return ErrnoOf(::syscall(SYS_modify_ldt, 0, table.data(), table.size()));
}

int AskPersonality() {
  return ErrnoOf(::personality(0xffffffff));
}

int SendSignal() {
  return ErrnoOf(::kill(::getpid(), 0));
}

int CallAsForeignArchitecture() {
  constexpr long kGetpidOfI386 = 20;
  long result = kGetpidOfI386;
  asm volatile("int $0x80" : "+a"(result) : : "memory", "cc", "r8", "r9", "r10", "r11");
  return result > 0 ? 0 : ENOSYS;
}

int ReplaceHandler() {
  struct sigaction action {};

  action.sa_handler = SIG_IGN;
  return ErrnoOf(::sigaction(SIGSYS, &action, nullptr));
}

int ArmNewTimer() {
  timer_t timer{};
  return ErrnoOf(::timer_create(CLOCK_MONOTONIC, nullptr, &timer));
}

int BecomeDumpable() {
  return ErrnoOf(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

int RaiseLimit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_CORE, &limit) != 0 ? errno : ErrnoOf(::setrlimit(RLIMIT_CORE, &limit));
}

int UseMemory() {
  const std::string large(std::size_t{4} << 20U, 'x');
  const auto secret = SecretBuffer::Allocate(64);
  std::array<char, 16> random{};
  const bool good = large.back() == 'x' && secret.has_value() && BootNow().count() > 0 &&
                    ::getrandom(random.data(), random.size(), 0) == 16;
  return good ? 0 : EIO;
}

}  // namespace baokms
