#include "supervisor/serve/helper_programs.h"

#include <sys/stat.h>
#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "common/base/safe_path.h"
#include "common/base/unique_fd.h"
#include "supervisor/config/safe_file.h"
#include "supervisor/spawner/launch.h"

namespace baokms::supervisor {
namespace {

constexpr mode_t kWritable = S_IWGRP | S_IWOTH;
constexpr mode_t kReadable = S_IRUSR | S_IRGRP | S_IROTH;

constexpr std::array kNames = {"bao-kms-spawner", "bao-kms-worker", "bao-kms-authagent"};

StartFailure Failure(int exit_code, const std::string& why) {
  return {.exit_code = exit_code, .line = "cannot start the spawner: " + why};
}

// A path that this user may not search is usually its own fault and not the file's.
std::string UserIfDenied(int sys_errno, uid_t own_user) {
  return sys_errno == EACCES ? "; the provider runs as " + DescribeUser(own_user) : "";
}

StartFailure Unopened(const std::string& directory, const std::string& name, uid_t own_user) {
  if (errno != ENOENT) {
    const int why = errno;
    return Failure(5, directory + name + " cannot be opened: " + std::strerror(why) +
                          "; check owner and mode of the directory" + UserIfDenied(why, own_user));
  }
  return Failure(5, name +
                        " is not installed beside bao-kms-provider; install all programs from one "
                        "package into " +
                        directory);
}

// One command for all programs, because they are installed together.
std::string Remedy(const std::string& directory) {
  std::string paths;
  for (const char* const name : kNames) {
    paths.append(" ").append(directory).append(name);
  }
  return "; run chown root:root" + paths + " && chmod 0111" + paths;
}

// Returns what is wrong with the file; empty if nothing is.
std::string ProblemOf(const struct stat& info, uid_t own_user) {
  if (!S_ISREG(info.st_mode)) {
    return "is not a regular file";
  }
  if (info.st_uid != 0 && info.st_uid != own_user) {
    return "belongs to " + DescribeUser(info.st_uid);
  }
  if ((info.st_mode & kWritable) != 0) {
    return "can be written to by its group or by others";
  }
  if (info.st_uid == 0 && (info.st_mode & kReadable) != 0) {
    return "can be read, and so could the memory of the process that it becomes";
  }
  return {};
}

}  // namespace

Started<HelperPrograms> FindHelperPrograms(uid_t own_user) {
  const std::string directory = BAOKMS_TRY(Step("find the child programs", OwnDirectory()));
  return OpenHelperPrograms(directory, own_user);
}

Started<HelperPrograms> OpenHelperPrograms(const std::string& directory, uid_t own_user) {
  const Opened opened =
      OpenDirectoryByRules(directory, {.forbidden_bits = kWritable, .own_user = own_user});
  if (opened.refusal) {
    const std::string& place = opened.refusal->component;
    return Failure(kConfigurationFailed, place + " " + DescribeRefusal(*opened.refusal, place) +
                                             UserIfDenied(opened.refusal->sys_errno, own_user));
  }
  std::array<UniqueFd, kNames.size()> programs;
  bool readable = false;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    programs[i] = UniqueFd(::openat(opened.fd.get(), kNames[i], O_PATH | O_NOFOLLOW | O_CLOEXEC));

    struct stat info {};

    if (!programs[i].valid() || ::fstat(programs[i].get(), &info) != 0) {
      return Unopened(directory, kNames[i], own_user);
    }
    if (const std::string problem = ProblemOf(info, own_user); !problem.empty()) {
      return Failure(kConfigurationFailed,
                     directory + kNames[i] + " " + problem + Remedy(directory));
    }
    readable = readable || info.st_uid != 0;
  }
  return HelperPrograms{.spawner = std::move(programs[0]),
                        .worker = std::move(programs[1]),
                        .agent = std::move(programs[2]),
                        .readable = readable};
}

}  // namespace baokms::supervisor
