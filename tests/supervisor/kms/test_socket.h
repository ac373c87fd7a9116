// A listening unix socket in a directory of its own, as the program would have one.

#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "common/base/unique_fd.h"

namespace baokms::supervisor {

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
