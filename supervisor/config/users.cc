#include "supervisor/config/users.h"

#include <sys/stat.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

#include "common/base/error.h"
#include "supervisor/config/number_text.h"

namespace baokms::supervisor {
namespace {

// An entry of the user database: names and paths.
constexpr std::size_t kMaxEntryBytes = std::size_t{64} * 1024;

// NGROUPS_MAX of the kernel is 65536; a user of this provider has a handful.
constexpr std::size_t kMaxUserGroups = 1024;

Result<KnownUser> ToKnownUser(int error, const passwd* found) {
  if (error != 0 || found == nullptr) {
    return Error(ErrorCode::kNotFound, "no such user on this host", error);
  }
  KnownUser user{.ids = {.uid = found->pw_uid, .gid = found->pw_gid},
                 .groups = std::vector<gid_t>(kMaxUserGroups)};
  int count = static_cast<int>(kMaxUserGroups);
  if (::getgrouplist(found->pw_name, found->pw_gid, user.groups.data(), &count) < 0) {
    return Error(ErrorCode::kResourceExhausted, "the user is in too many groups");
  }
  user.groups.resize(static_cast<std::size_t>(count));
  std::erase(user.groups, found->pw_gid);
  return user;
}

}  // namespace

Result<KnownUser> LookUpUser(const std::string& text) {
  if (const auto ids = ParseUserIds(text)) {
    return KnownUser{.ids = *ids, .groups = {}};
  }
  std::vector<char> buffer(kMaxEntryBytes);
  passwd entry{};
  passwd* found = nullptr;
  const int error = ::getpwnam_r(text.c_str(), &entry, buffer.data(), buffer.size(), &found);
  return ToKnownUser(error, found);
}

Result<KnownUser> LookUpUser(uid_t uid) {
  std::vector<char> buffer(kMaxEntryBytes);
  passwd entry{};
  passwd* found = nullptr;
  const int error = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  return ToKnownUser(error, found);
}

Result<UserIds> SupervisorUser(const Config& config) {
  const UserIds own{.uid = ::geteuid(), .gid = ::getegid()};
  const std::string& name = config.isolation.supervisor_user;
  if (own.uid != 0 || !BAOKMS_TRY(HasUserCapabilities())) {
    return own;
  }
  if (!name.empty()) {
    return (BAOKMS_TRY(LookUpUser(name))).ids;
  }
  const std::string& state = config.state.path;

  struct stat info {};

  // Without the directory, opening the state fails later, with its reason.
  return ::stat(state.substr(0, state.rfind('/') + 1).c_str(), &info) == 0
             ? UserIds{.uid = info.st_uid, .gid = info.st_gid}
             : own;
}

}  // namespace baokms::supervisor
