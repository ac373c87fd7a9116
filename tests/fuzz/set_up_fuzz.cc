// Sealed set-ups, from which a child takes everything that it believes: the first byte chooses
// between a worker's and the agent's, the others are the message. Property: what the supervisor's
// check accepts, the child accepts, and keeps within its limits.

#include <climits>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/setup/limits.h"
#include "common/setup/pkcs11_uri.h"
#include "common/setup/set_up_checks.h"
#include "proto/setup.pb.h"
#include "tests/fuzz/quiet_protobuf.h"
#include "tests/fuzz/require.h"
#include "worker/worker_options.h"

namespace {

using baokms::Require;
namespace ipc = baokms::ipc;
namespace setup = baokms::setup;

void CheckWorker(const ipc::WorkerSetup& message) {
  const bool accepted = static_cast<bool>(setup::CheckWorkerSetup(message));
  const auto options = baokms::worker::ReadSetup(message);
  Require(accepted == options.has_value(), "a worker accepts what the supervisor accepts");
  if (options) {
    Require(!options->openbao.endpoints.empty() &&
                options->openbao.endpoints.size() <= setup::kMaxEndpoints,
            "there is an endpoint, and not too many");
    Require(options->token.longest_wait.count() > 0 && options->token.login_timeout.count() > 0,
            "times are positive");
  }
}

void CheckAgent(const ipc::AgentSetup& message) {
  if (setup::CheckAgentSetup(message)) {
    Require(message.workers() > 0, "an agent has a worker");
    ipc::AgentSetup again;
    Require(again.ParseFromString(message.SerializeAsString()) &&
                static_cast<bool>(setup::CheckAgentSetup(again)),
            "a set-up survives its seal");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > INT_MAX) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'w') {
    ipc::WorkerSetup message;
    if (message.ParseFromArray(text.data(), static_cast<int>(text.size()))) {
      CheckWorker(message);
    }
  } else if (data[0] == 'a') {
    ipc::AgentSetup message;
    if (message.ParseFromArray(text.data(), static_cast<int>(text.size()))) {
      CheckAgent(message);
    }
  } else if (setup::CheckPkcs11Uri(text)) {
    Require(text.find_first_of(std::string_view("\0\n", 2)) == std::string_view::npos,
            "a PKCS #11 URI is one line");
    Require(!setup::UriAttribute(text, "pin-value"), "a PIN is never in a URI");
  }
  return 0;
}
