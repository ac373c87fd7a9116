#include "tests/bench/first_encrypt.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <iostream>
#include <memory>
#include <thread>

#include <grpcpp/grpcpp.h>

#include "common/base/unique_fd.h"
#include "tests/bench/kms_load.h"
#include "tests/bench/step.h"

namespace baokms::bench {
namespace {

constexpr std::chrono::milliseconds kPause{2};
constexpr std::chrono::seconds kGiveUp{60};

// gRPC itself waits at least 100 ms before it connects again.
bool Accepts(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof(address.sun_path)) {
    return false;
  }
  socket_path.copy(&address.sun_path[0], socket_path.size());
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

}  // namespace

Result<std::chrono::nanoseconds> WaitForFirstEncrypt(const std::string& socket_path) {
  const auto stub = v2::KeyManagementService::NewStub(MakeKmsChannel(socket_path));
  const v2::EncryptRequest request = RandomEncryptRequest();
  std::cout << "waiting" << std::endl;
  const auto give_up = Clock::now() + kGiveUp;
  bool accepts = false;
  grpc::Status status;
  while (Clock::now() < give_up) {
    accepts = accepts || Accepts(socket_path);
    if (accepts) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + kCallLimit);
      v2::EncryptResponse answer;
      status = stub->Encrypt(&context, request, &answer);
      if (status.ok()) {
        return Clock::now().time_since_epoch();
      }
    }
    std::this_thread::sleep_for(kPause);
  }
  std::cerr << "provider: " << (accepts ? status.error_message() : "nobody listens") << '\n';
  return Error(ErrorCode::kDeadlineExceeded, "no Encrypt succeeded");
}

}  // namespace baokms::bench
