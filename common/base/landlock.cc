#include "common/base/landlock.h"

#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "common/base/error.h"
#include "common/base/unique_fd.h"

namespace baokms {
namespace {

// Newer than Debian 12's header.
constexpr std::uint64_t kTruncate = 1ULL << 14U;
constexpr std::uint64_t kListenTcp = 1ULL << 0U;
constexpr std::uint64_t kConnectTcp = 1ULL << 1U;
constexpr int kRulePort = 2;
constexpr std::uint64_t kScopes = 3;  // abstract Unix sockets, signals

struct RulesetAttr {
  std::uint64_t files = 0;
  std::uint64_t ports = 0;
  std::uint64_t scopes = 0;
};

struct PortAttr {
  std::uint64_t access = 0;
  std::uint64_t port = 0;
};

constexpr std::uint64_t kReading =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE;

constexpr std::uint64_t kChanging = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

// Devices, links and programs are nothing that one of our processes makes or runs.
constexpr std::uint64_t kNobodyNeeds = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                       LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

// The rights that a rule for a file may have.
constexpr std::uint64_t kOfFiles =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;

std::size_t SizeOfAttr(std::uint32_t abi) {
  if (abi >= kScopeAbi) {
    return sizeof(RulesetAttr);
  }
  return abi >= kPortAbi ? offsetof(RulesetAttr, scopes) : offsetof(RulesetAttr, ports);
}

RulesetAttr WhatIsRestricted(const LandlockRules& rules, std::uint32_t abi) {
  return {.files = kChanging | (rules.restrict_reading ? kReading : 0) |
                   (abi >= kTruncateAbi ? kTruncate : 0),
          .ports = rules.restrict_ports ? kListenTcp | kConnectTcp : 0,
          .scopes = rules.restrict_scope ? kScopes : 0};
}

Status AddRule(const UniqueFd& ruleset, int type, const void* attr) {
  if (::syscall(SYS_landlock_add_rule, ruleset.get(), type, attr, 0) != 0) {
    return Error(ErrorCode::kSystem, "landlock_add_rule", errno);
  }
  return {};
}

Status AllowPath(const UniqueFd& ruleset, const std::string& path, std::uint64_t access) {
  const UniqueFd opened(::open(path.c_str(), O_PATH | O_CLOEXEC));

  struct stat info {};

  if (!opened.valid() || ::fstat(opened.get(), &info) != 0) {
    return {};
  }
  landlock_path_beneath_attr attr{};
  attr.allowed_access = S_ISDIR(info.st_mode) ? access : access & kOfFiles;
  attr.parent_fd = opened.get();
  return attr.allowed_access == 0 ? Status() : AddRule(ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr);
}

Status AllowPaths(const UniqueFd& ruleset, const LandlockRules& rules, std::uint64_t restricted) {
  for (const std::string& path : rules.readable) {
    BAOKMS_TRY(AllowPath(ruleset, path, restricted & kReading & ~kNobodyNeeds));
  }
  for (const std::string& path : rules.changeable) {
    BAOKMS_TRY(AllowPath(ruleset, path, restricted & ~kNobodyNeeds));
  }
  for (const std::string& path : rules.sockets) {
    BAOKMS_TRY(
        AllowPath(ruleset, path, LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE));
  }
  return {};
}

Status AllowPorts(const UniqueFd& ruleset, const LandlockRules& rules) {
  for (const std::uint16_t port : rules.connect_ports) {
    const PortAttr attr{.access = kConnectTcp, .port = port};
    BAOKMS_TRY(AddRule(ruleset, kRulePort, &attr));
  }
  for (const std::uint16_t port : rules.listen_ports) {
    const PortAttr attr{.access = kListenTcp, .port = port};
    BAOKMS_TRY(AddRule(ruleset, kRulePort, &attr));
  }
  return {};
}

}  // namespace

Result<LandlockState> EnterLandlock(const LandlockRules& rules) {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version <= 0) {
    return LandlockState{.use = LandlockState::Use::kNotSupported, .sys_errno = errno};
  }
  const auto abi = static_cast<std::uint32_t>(version);
  const RulesetAttr attr = WhatIsRestricted(rules, abi);
  const UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attr, SizeOfAttr(abi), 0)));
  if (!ruleset.valid()) {
    return Error(ErrorCode::kSystem, "landlock_create_ruleset", errno);
  }
  BAOKMS_TRY(AllowPaths(ruleset, rules, attr.files));
  if (abi >= kPortAbi && rules.restrict_ports) {
    BAOKMS_TRY(AllowPorts(ruleset, rules));
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return Error(ErrorCode::kSystem, "landlock_restrict_self", errno);
  }
  return LandlockState{.use = LandlockState::Use::kInForce, .abi = abi};
}

}  // namespace baokms
