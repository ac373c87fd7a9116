#include "supervisor/etcd/start_scan.h"

#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/sealed.h"
#include "proto/etcd_scan.pb.h"
#include "supervisor/config/host_checks.h"
#include "supervisor/config/safe_file.h"
#include "supervisor/config/text_rules.h"
#include "supervisor/etcd/scan_message.h"
#include "supervisor/spawner/launch.h"

namespace baokms::supervisor {
namespace {

constexpr const char* kScanProgram = "bao-kms-etcd-scan";

// The program's error text is one line of this project; longer texts are not accepted.
constexpr std::size_t kMaxFailureBytes = 512;

EtcdScanFailure FileFailure(std::string text) {
  return {.kind = EtcdScanFailure::Kind::kFile, .text = std::move(text)};
}

EtcdScanFailure EtcdFailure(std::string text) {
  return {.kind = EtcdScanFailure::Kind::kEtcd, .text = std::move(text)};
}

EtcdScanFailure ProgramFailure(std::string_view what) {
  return EtcdFailure(std::string(kScanProgram).append(": ").append(what));
}

// Only the owner and the group may be able to read a private key.
FileRules KeyFileRules() {
  FileRules rules = CaFileRules();
  rules.forbidden_bits = kForbiddenSecretBits;
  return rules;
}

// The files that are passed to the program as descriptors, in the order of scan_program.h. The
// descriptor is invalid if the path is empty.
struct CredentialFiles {
  std::array<UniqueFd, 3> files;
  std::string refusal;
};

CredentialFiles OpenFiles(const EtcdOptions& options) {
  struct Source {
    const char* flag;
    const std::string& path;
    FileRules rules;
  };

  const Source sources[] = {{"--cacert ", options.ca_file, CaFileRules()},
                            {"--cert ", options.certificate_file, CaFileRules()},
                            {"--key ", options.key_file, KeyFileRules()}};
  CredentialFiles opened;
  for (std::size_t i = 0; i < opened.files.size(); ++i) {
    const Source& source = sources[i];
    if (source.path.empty()) {
      continue;
    }
    Opened file = OpenFileByRules(source.path, source.rules);
    if (file.refusal) {
      opened.refusal = source.flag + DescribeRefusal(*file.refusal, source.path);
      return opened;
    }
    opened.files[i] = std::move(file.fd);
  }
  return opened;
}

Result<UniqueFd> SealSetup(const EtcdOptions& options) {
  ipc::EtcdScanSetup setup;
  setup.set_host(options.host);
  setup.set_port(options.port);
  setup.set_plain(options.transport == EtcdOptions::Transport::kPlain);
  setup.set_client_certificate(!options.certificate_file.empty());
  setup.set_prefix(options.prefix);
  return ipc::SealMessage(setup);
}

struct RunningScan {
  pid_t pid = -1;
  UniqueFd answer;
};

Result<RunningScan> Start(const EtcdOptions& options, const CredentialFiles& files, int program) {
  const UniqueFd setup = BAOKMS_TRY(SealSetup(options));
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  std::array<int, 2> ends{};
  if (!null.valid() || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return Error(ErrorCode::kSystem, "open", errno);
  }
  UniqueFd answer(ends[0]);
  const UniqueFd theirs(ends[1]);
  LaunchPlan plan;
  plan.name = kScanProgram;
  plan.program = program;
  plan.null = null.get();
  plan.descriptors = {theirs.get(), setup.get()};
  for (const UniqueFd& file : files.files) {
    plan.descriptors.push_back(file.valid() ? file.get() : null.get());
  }
  plan.environment = ChildEnvironment();
  const pid_t pid = BAOKMS_TRY(Launch(plan));
  return RunningScan{.pid = pid, .answer = std::move(answer)};
}

// Returns how the process failed; empty if it succeeded.
std::string WaitFor(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) {
      return "cannot be waited for";
    }
  }
  if (WIFSIGNALED(status)) {
    return "was ended by signal " + std::to_string(WTERMSIG(status));
  }
  return WEXITSTATUS(status) == 0 ? ""
                                  : "ended with exit code " + std::to_string(WEXITSTATUS(status));
}

std::string TextOf(const std::string& text) {
  return Printable(text, kMaxFailureBytes);
}

EtcdScanResult Interpret(const ipc::EtcdScanAnswer& answer) {
  if (!answer.refused_file().empty()) {
    return FileFailure(TextOf(answer.refused_file()));
  }
  if (!answer.failure().empty()) {
    return EtcdFailure(TextOf(answer.failure()));
  }
  auto scan = FromMessage(answer);
  return scan ? EtcdScanResult(std::move(scan).value()) : ProgramFailure(scan.error().what());
}

}  // namespace

EtcdScanResult RunEtcdScan(const EtcdOptions& options, const std::string& program) {
  const CredentialFiles files = OpenFiles(options);
  if (!files.refusal.empty()) {
    return FileFailure(files.refusal);
  }
  const UniqueFd executable(::open(program.c_str(), O_PATH | O_CLOEXEC));
  if (!executable.valid()) {
    return FileFailure(
        std::string(kScanProgram).append(" is not installed beside bao-kms-provider"));
  }
  auto running = Start(options, files, executable.get());
  if (!running) {
    return ProgramFailure(running.error().what());
  }
  ipc::EtcdScanAnswer answer;
  const bool received = ReceiveAnswer(running->answer.get(), answer);
  running->answer.reset();  // a program that is still writing then ends as well
  if (const std::string ending = WaitFor(running->pid); !ending.empty()) {
    return ProgramFailure(ending);
  }
  return received ? Interpret(answer) : ProgramFailure("no valid answer");
}

std::string EtcdScanProgram() {
  const auto directory = OwnDirectory();
  return directory ? *directory + kScanProgram : "";
}

}  // namespace baokms::supervisor
