#include "tests/policies/filter_program.h"

#include <seccomp.h>

#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>

namespace {

// What the next filter context is for: libseccomp always starts with the architecture of the
// program that calls it, and the policies under test have no reason to know another one.
std::uint32_t wanted_architecture = ::seccomp_arch_native();

}  // namespace

// The linker has the policies call the second one of these (ld(1), --wrap).
extern "C" scmp_filter_ctx __real_seccomp_init(std::uint32_t default_action);  // NOLINT

extern "C" scmp_filter_ctx __wrap_seccomp_init(std::uint32_t default_action) {  // NOLINT
  scmp_filter_ctx context = __real_seccomp_init(default_action);
  if (wanted_architecture != ::seccomp_arch_native() &&
      (::seccomp_arch_add(context, wanted_architecture) != 0 ||
       ::seccomp_arch_remove(context, SCMP_ARCH_NATIVE) != 0)) {
    ::seccomp_release(context);
    return nullptr;
  }
  return context;
}

namespace baokms {
namespace {

class Machine final {
 public:
  explicit Machine(const seccomp_data& call) : call_(call) {}

  // Executes one instruction; returns how many of the following ones are left out.
  std::size_t Step(const sock_filter& instruction) {
    switch (instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        accumulator_ = Load(instruction.k);
        return 0;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator_ &= instruction.k;
        return 0;
      case BPF_JMP | BPF_JA:
        return instruction.k;
      case BPF_JMP | BPF_JEQ | BPF_K:
        return accumulator_ == instruction.k ? instruction.jt : instruction.jf;
      case BPF_JMP | BPF_JGT | BPF_K:
        return accumulator_ > instruction.k ? instruction.jt : instruction.jf;
      case BPF_JMP | BPF_JGE | BPF_K:
        return accumulator_ >= instruction.k ? instruction.jt : instruction.jf;
      case BPF_JMP | BPF_JSET | BPF_K:
        return (accumulator_ & instruction.k) != 0 ? instruction.jt : instruction.jf;
      default:
        throw std::logic_error("instruction " + std::to_string(instruction.code));
    }
  }

 private:
  [[nodiscard]] std::uint32_t Load(std::size_t offset) const {
    std::uint32_t value = 0;
    if (offset % sizeof value != 0 || offset > sizeof call_ - sizeof value) {
      throw std::logic_error("load from " + std::to_string(offset));
    }
    std::memcpy(&value, reinterpret_cast<const char*>(&call_) + offset, sizeof value);
    return value;
  }

  const seccomp_data& call_;
  std::uint32_t accumulator_ = 0;
};

Result<SeccompPolicy> BuildFor(const BuildPolicyFunction& build, Architecture architecture) {
  wanted_architecture = architecture;
  Result<SeccompPolicy> policy = build();
  wanted_architecture = ::seccomp_arch_native();
  return policy;
}

}  // namespace

Result<std::string> TextOf(const BuildPolicyFunction& build, Architecture architecture) {
  const SeccompPolicy policy = BAOKMS_TRY(BuildFor(build, architecture));
  return policy.ToText();
}

FilterProgram::FilterProgram(std::string_view bytes)
    : instructions_(bytes.size() / sizeof(sock_filter)) {
  std::memcpy(instructions_.data(), bytes.data(), instructions_.size() * sizeof(sock_filter));
}

Result<FilterProgram> FilterProgram::Compile(const BuildPolicyFunction& build,
                                             Architecture architecture) {
  const SeccompPolicy policy = BAOKMS_TRY(BuildFor(build, architecture));
  return FilterProgram(BAOKMS_TRY(policy.ToProgram()));
}

std::uint32_t FilterProgram::ActionOf(const seccomp_data& call) const {
  Machine machine(call);
  for (std::size_t at = 0; at < instructions_.size(); ++at) {
    if (instructions_[at].code == (BPF_RET | BPF_K)) {
      return instructions_[at].k;
    }
    at += machine.Step(instructions_[at]);
  }
  throw std::logic_error("the filter ends without an answer");
}

}  // namespace baokms
