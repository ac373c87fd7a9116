#include "common/base/seccomp_policy.h"

#include <sys/mman.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>

#include <seccomp.h>

#include <string>

#include <unistd.h>

#include <utility>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms {

struct SeccompPolicy::Filter {
  explicit Filter(scmp_filter_ctx ctx) : context(ctx) {}

  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  ~Filter() { ::seccomp_release(context); }

  scmp_filter_ctx context;
};

SeccompPolicy::SeccompPolicy(std::unique_ptr<Filter> filter) : filter_(std::move(filter)) {
}

SeccompPolicy::SeccompPolicy(SeccompPolicy&&) noexcept = default;
SeccompPolicy& SeccompPolicy::operator=(SeccompPolicy&&) noexcept = default;
SeccompPolicy::~SeccompPolicy() = default;

Result<SeccompPolicy> SeccompPolicy::Create() {
  scmp_filter_ctx context = ::seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (context == nullptr) {
    return Error(ErrorCode::kSystem, "seccomp_init");
  }
  auto filter = std::make_unique<Filter>(context);
  if (const int r = ::seccomp_attr_set(context, SCMP_FLTATR_CTL_TSYNC, 1); r < 0) {
    return Error(ErrorCode::kSystem, "seccomp_attr_set(TSYNC)", -r);
  }
  return SeccompPolicy(std::move(filter));
}

Result<void> SeccompPolicy::Allow(std::initializer_list<int> syscalls) {
  for (const int syscall : syscalls) {
    if (const int r =
            ::seccomp_rule_add_array(filter_->context, SCMP_ACT_ALLOW, syscall, 0, nullptr);
        r < 0) {
      return Error(ErrorCode::kSystem, "seccomp_rule_add(allow)", -r);
    }
  }
  return {};
}

Result<void> SeccompPolicy::Refuse(std::initializer_list<int> syscalls, int with_errno) {
  const std::uint32_t action = SCMP_ACT_ERRNO(static_cast<unsigned>(with_errno));
  for (const int syscall : syscalls) {
    if (const int r = ::seccomp_rule_add_array(filter_->context, action, syscall, 0, nullptr);
        r < 0) {
      return Error(ErrorCode::kSystem, "seccomp_rule_add(errno)", -r);
    }
  }
  return {};
}

Result<void> SeccompPolicy::AllowMemory() {
  // Argument 2 without its PROT_EXEC bit. (Not SCMP_A2: it is a C99 compound literal.)
  const std::array<scmp_arg_cmp, 1> no_exec = {
      {{.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0}}};
  for (const int syscall : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    if (const int r = ::seccomp_rule_add_array(filter_->context, SCMP_ACT_ALLOW, syscall,
                                               no_exec.size(), no_exec.data());
        r < 0) {
      return Error(ErrorCode::kSystem, "seccomp_rule_add(no exec)", -r);
    }
  }
  return Allow({SCMP_SYS(munmap), SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(mlock)});
}

Result<void> SeccompPolicy::AllowTransferOnOpenFds() {
  return Allow(
      {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(close)});
}

Result<void> SeccompPolicy::AllowWaiting() {
  return Allow({SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(futex), SCMP_SYS(clock_gettime)});
}

Result<void> SeccompPolicy::AllowEntropy() {
  return Allow({SCMP_SYS(getrandom)});
}

Result<void> SeccompPolicy::AllowExit() {
  return Allow({SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn)});
}

Result<void> SeccompPolicy::AllowNewSockets(DangerousGrant grant) {
  if (grant.adr.empty()) {
    return Error(ErrorCode::kInvalidArgument, "AllowNewSockets: no ADR named");
  }
  return Allow({SCMP_SYS(socket), SCMP_SYS(connect)});
}

Result<void> SeccompPolicy::Install() {
  if (const int r = ::seccomp_load(filter_->context); r < 0) {
    return Error(ErrorCode::kSystem, "seccomp_load", -r);
  }
  return {};
}

Result<std::string> SeccompPolicy::ToText() const {
  const UniqueFd file(::memfd_create("policy", MFD_CLOEXEC));
  if (!file.valid()) {
    return Error(ErrorCode::kSystem, "memfd_create");
  }
  if (const int r = ::seccomp_export_pfc(filter_->context, file.get()); r < 0) {
    return Error(ErrorCode::kSystem, "seccomp_export_pfc", -r);
  }
  std::string text;
  std::array<char, 4096> chunk{};
  for (off_t offset = 0;;) {
    const ssize_t n = ::pread(file.get(), chunk.data(), chunk.size(), offset);
    if (n < 0) {
      return Error(ErrorCode::kSystem, "pread");
    }
    if (n == 0) {
      return text;
    }
    text.append(chunk.data(), static_cast<std::size_t>(n));
    offset += n;
  }
}

}  // namespace baokms
