#include "supervisor/isolation/attempt.h"

#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/base/users.h"

namespace baokms::supervisor {
namespace {

// A change from root to another user drops the capabilities as well (capabilities(7)).
Status Become(const AttemptUser& user) {
  BAOKMS_TRY(SetGroups(user.groups));
  BAOKMS_TRY(BecomeUser({.uid = user.uid, .gid = user.gid}));
  return ClearCapabilities();
}

// Runs in the forked process: writes one errno for each path, and none if it is not that user.
[[noreturn]] void Attempt(const AttemptUser& user, const std::vector<std::string>& paths, int out) {
  if (!Become(user)) {
    ::_exit(1);
  }
  for (const std::string& path : paths) {
    const UniqueFd opened(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    const int failure = opened.valid() ? 0 : errno;
    if (::write(out, &failure, sizeof failure) != sizeof failure) {
      ::_exit(1);
    }
  }
  ::_exit(0);
}

}  // namespace

std::optional<std::vector<int>> TryToRead(const AttemptUser& user,
                                          const std::vector<std::string>& paths) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return std::nullopt;
  }
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    Attempt(user, paths, out.get());
  }
  out.reset();
  std::vector<int> failures;
  for (int failure = 0;
       child > 0 && ::read(in.get(), &failure, sizeof failure) == sizeof failure;) {
    failures.push_back(failure);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || failures.size() != paths.size()) {
    return std::nullopt;
  }
  return failures;
}

}  // namespace baokms::supervisor
