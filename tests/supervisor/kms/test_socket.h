// A listening unix socket in a directory of its own, as the program would have one.

#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include "common/base/unique_fd.h"

namespace baokms::supervisor {

// What an HTTP/2 client without settings of its own sends first.
inline constexpr std::string_view kGreeting("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
                                            33);

class TestSocket final {
 public:
  TestSocket() {
    std::string pattern = std::filesystem::temp_directory_path() / "baokms-kms-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw std::runtime_error("mkdtemp");
    }
    directory_ = pattern;
    listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const sockaddr_un address = Address();
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_.get(), 128) != 0) {
      throw std::runtime_error("bind");
    }
  }

  TestSocket(const TestSocket&) = delete;
  TestSocket& operator=(const TestSocket&) = delete;

  ~TestSocket() { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::string path() const { return directory_ + "/kms.sock"; }

  [[nodiscard]] int listener() const { return listener_.get(); }

  [[nodiscard]] UniqueFd Connect() const {
    UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = Address();
    if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("connect");
    }
    return client;
  }

  // Connects and sends the handshake of HTTP/2.
  [[nodiscard]] UniqueFd Greet() const {
    UniqueFd client = Connect();
    Say(client, kGreeting);
    return client;
  }

  static void Say(const UniqueFd& client, std::string_view text) {
    if (::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(text.size())) {
      throw std::runtime_error("send");
    }
  }

 private:
  [[nodiscard]] sockaddr_un Address() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string text = path();
    std::memcpy(address.sun_path, text.data(), text.size());
    return address;
  }

  std::string directory_;
  UniqueFd listener_;
};

}  // namespace baokms::supervisor
