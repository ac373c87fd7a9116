// Stands in for a child that refuses its set-up: the supervisor checks the same rules, so that the
// real ones never do.

#include <chrono>
#include <thread>

#include "common/base/error.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_session.h"

// Later than the other processes accept theirs, which must make no difference.
constexpr std::chrono::seconds kLate{1};

int main() {
  std::this_thread::sleep_for(kLate);
  baokms::ipc::SendStartFailure(
      baokms::ipc::kSupervisorChannel,
      baokms::Error(baokms::ErrorCode::kInvalidArgument, "set-up: openbao.tlsServerName"));
  return static_cast<int>(baokms::ipc::ExitCode::kStartFailed);
}
