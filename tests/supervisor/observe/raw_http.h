// A client that sends exactly the bytes it is told and reads until the server closes.

#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <poll.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/unique_fd.h"

namespace baokms::supervisor {

// Connected over IPv4 or IPv6 loopback; invalid when refused.
inline UniqueFd ConnectTo(std::uint16_t port, int family = AF_INET) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int connected = -1;
  if (family == AF_INET) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  } else {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    address.sin6_addr = in6addr_loopback;
    connected = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  if (connected != 0) {
    fd.reset();
  }
  return fd;
}

inline void SendText(const UniqueFd& fd, std::string_view text) {
  (void)!::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

// Milliseconds without a byte after which a server is taken to stay silent.
inline constexpr int kPatience = 10'000;

// Everything until the server closes or stays silent.
inline std::string ReceiveAll(const UniqueFd& fd) {
  std::string all;
  std::array<char, 4096> buffer{};
  pollfd waiting{fd.get(), POLLIN, 0};
  while (::poll(&waiting, 1, kPatience) == 1) {
    const ssize_t size = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (size <= 0) {
      break;
    }
    all.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return all;
}

// Whether the server closes in time, without having answered.
inline bool ClosesInSilence(const UniqueFd& fd) {
  pollfd waiting{fd.get(), POLLIN, 0};
  char byte = 0;
  return ::poll(&waiting, 1, kPatience) == 1 && ::recv(fd.get(), &byte, 1, 0) <= 0;
}

inline std::string Exchange(std::uint16_t port, std::string_view request, int family = AF_INET) {
  const UniqueFd fd = ConnectTo(port, family);
  if (!fd.valid()) {
    return "refused";
  }
  SendText(fd, request);
  return ReceiveAll(fd);
}

inline std::string Get(std::uint16_t port, std::string_view path, std::string_view method = "GET") {
  return Exchange(
      port, std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

inline std::string StatusOf(std::string_view answer) {
  return std::string(answer.substr(0, answer.find('\r')));
}

inline std::string BodyOf(std::string_view answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == std::string_view::npos ? "no header" : std::string(answer.substr(end + 4));
}

}  // namespace baokms::supervisor
