// Stands in for a worker that was taken over, in slot 0: it says Hello, acknowledges its key table
// and then sends the same message as fast as it can, without reading what it is sent. The number of
// the message's type is in the file "flood" beside this program. Without that file, and in every
// other slot, it becomes the worker that is installed as "bao-kms-worker.real".

#include <sys/socket.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/child_descriptors.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "tests/supervisor/children/flood_bodies.h"

namespace baokms {
namespace {

using ipc::MessageType;

void AwaitEvent(int fd, short events) {
  pollfd waiting{fd, events, 0};
  (void)::poll(&waiting, 1, -1);
}

// The folder of this program, with a slash.
std::string OwnFolder() {
  std::array<char, PATH_MAX> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  const std::string_view own(path.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return std::string(own.substr(0, own.rfind('/') + 1));
}

// From the channel to the agent that the spawner sends, and without taking it: the real worker
// needs it.
std::uint32_t OwnSlot() {
  AwaitEvent(ipc::kSpawnerChannel, POLLIN);
  std::array<char, ipc::kHeaderSize + ipc::kMaxControlBody> bytes{};
  const ssize_t size = ::recv(ipc::kSpawnerChannel, bytes.data(), bytes.size(), MSG_PEEK);
  ipc::PeerChannel peer;
  const auto body = static_cast<int>(size) - static_cast<int>(ipc::kHeaderSize);
  if (body < 0 || !peer.ParseFromArray(bytes.data() + ipc::kHeaderSize, body)) {
    std::_Exit(EXIT_FAILURE);
  }
  return peer.slot();
}

[[noreturn]] void BecomeRealWorker() {
  const std::string path = OwnFolder() + "bao-kms-worker.real";
  std::string name = "bao-kms-worker";
  std::array<char*, 2> arguments = {name.data(), nullptr};
  (void)::execveat(AT_FDCWD, path.c_str(), arguments.data(), environ, 0);
  std::_Exit(EXIT_FAILURE);
}

// Nothing if this worker is to be an honest one.
std::optional<MessageType> ChosenType() {
  const UniqueFd file(::open((OwnFolder() + "flood").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) {
    return std::nullopt;
  }
  std::array<char, 8> text{};
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  std::uint16_t number = 0;
  if (size <= 0 || std::from_chars(text.data(), text.data() + size, number).ec != std::errc()) {
    std::_Exit(EXIT_FAILURE);
  }
  return static_cast<MessageType>(number);
}

void Send(MessageType type, const google::protobuf::MessageLite& message) {
  const auto encoded = ipc::EncodedMessage::Encode(type, message);
  if (!encoded || !ipc::SendDatagram(ipc::kSupervisorChannel, *encoded, -1)) {
    std::_Exit(EXIT_FAILURE);
  }
}

// Up to its first key table, as an honest worker.
void BecomeReady() {
  ipc::Hello hello;
  hello.set_protocol_version(ipc::kProtocolVersion);
  hello.set_role(ipc::ROLE_WORKER);
  Send(MessageType::kHello, hello);
  std::vector<std::uint8_t> buffer(ipc::kMaxDatagram);
  for (;;) {
    AwaitEvent(ipc::kSupervisorChannel, POLLIN);
    const auto datagram = ipc::ReceiveDatagram(ipc::kSupervisorChannel, buffer);
    if (!datagram) {
      std::_Exit(EXIT_FAILURE);
    }
    ipc::KeyTable table;
    if (!*datagram || (*datagram)->type != MessageType::kKeyTable ||
        !table.ParseFromArray((*datagram)->body.data(),
                              static_cast<int>((*datagram)->body.size()))) {
      continue;
    }
    ipc::KeyTableAnswer answer;
    answer.set_generation(table.generation());
    answer.set_outcome(ipc::OUTCOME_OK);
    Send(MessageType::kKeyTableAnswer, answer);
    return;
  }
}

[[noreturn]] void Flood(MessageType type) {
  const std::string body = supervisor::FloodBody(type, ipc::ROLE_WORKER);
  const auto encoded =
      ipc::EncodedMessage::Encode(type, std::vector<std::uint8_t>(body.begin(), body.end()));
  const int attached = type == MessageType::kProcDescriptor ? ipc::kSupervisorChannel : -1;
  for (;;) {
    const auto sent = ipc::SendDatagram(ipc::kSupervisorChannel, *encoded, attached);
    if (!sent) {
      std::_Exit(EXIT_FAILURE);
    }
    if (*sent == ipc::SendState::kWouldBlock) {
      AwaitEvent(ipc::kSupervisorChannel, POLLOUT);
    }
  }
}

}  // namespace
}  // namespace baokms

int main() {
  const auto type = baokms::OwnSlot() == 0 ? baokms::ChosenType() : std::nullopt;
  if (!type) {
    baokms::BecomeRealWorker();
  }
  baokms::BecomeReady();
  baokms::Flood(*type);
}
