#include "supervisor/isolation/running_provider.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <netdb.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <fstream>
#include <memory>
#include <string_view>
#include <type_traits>

#include <nlohmann/json.hpp>

#include "common/base/deleter.h"
#include "common/base/unique_fd.h"
#include "supervisor/config/derived.h"
#include "supervisor/config/listen_address.h"
#include "supervisor/isolation/process_view.h"

namespace baokms::supervisor {
namespace {

// /ready is answered from memory.
constexpr timeval kTimeout{.tv_sec = 2, .tv_usec = 0};

// The body has a few kilobytes.
constexpr std::size_t kMaxAnswer = 1U << 20U;

using Addresses = std::unique_ptr<addrinfo, Deleter<freeaddrinfo>>;

UniqueFd Connect(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) {
    return UniqueFd();
  }
  const Addresses addresses(found);
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    UniqueFd fd(::socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, each->ai_protocol));
    if (fd.valid() &&
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof kTimeout) == 0 &&
        ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kTimeout, sizeof kTimeout) == 0 &&
        ::connect(fd.get(), each->ai_addr, each->ai_addrlen) == 0) {
      return fd;
    }
  }
  return UniqueFd();
}

// Returns the body of the answer, whatever its status: 503 has the same members.
std::string Get(const UniqueFd& connection, std::string_view path) {
  const std::string request =
      std::string("GET ").append(path).append(" HTTP/1.0\r\nHost: localhost\r\n\r\n");
  if (::send(connection.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return "";
  }
  std::string answer;
  std::array<char, 4096> chunk{};
  while (answer.size() < kMaxAnswer) {
    const ssize_t size = ::recv(connection.get(), chunk.data(), chunk.size(), 0);
    if (size <= 0) {
      break;
    }
    answer.append(chunk.data(), static_cast<std::size_t>(size));
  }
  constexpr std::string_view kEndOfHeader = "\r\n\r\n";
  const std::size_t end = answer.find(kEndOfHeader);
  return end == std::string::npos ? "" : answer.substr(end + kEndOfHeader.size());
}

}  // namespace

std::optional<pid_t> FindRunningProvider(const std::string& state_path) {
  std::ifstream lock(state_path + ".lock");
  pid_t pid = 0;
  if (!(lock >> pid) || pid <= 0) {
    return std::nullopt;
  }
  // The number may belong to another process by now.
  const std::optional<ProcessView> view = ViewProcess(pid);
  constexpr std::string_view kProgram = "/bao-kms-provider";
  return view && view->program.path.find(kProgram) != std::string::npos ? std::optional(pid)
                                                                        : std::nullopt;
}

std::string AskForIsolation(const std::string& health_address) {
  const std::optional<ListenAddress> address = ListenerOf(health_address);
  if (!address) {
    return "";
  }
  const UniqueFd connection = Connect(address->host, std::to_string(address->port));
  if (!connection.valid()) {
    return "";
  }
  const nlohmann::json body = nlohmann::json::parse(Get(connection, "/ready"), nullptr, false);
  return body.is_object() && body.contains("isolation") ? body.at("isolation").dump() : "";
}

}  // namespace baokms::supervisor
