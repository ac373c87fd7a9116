// A program for Launch() to start: says on descriptor 3 what it was born with, a line a fact.

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <string>

namespace {

std::string OpenDescriptors() {
  std::string list;
  for (int fd = 0; fd < 1024; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) {
      list += " " + std::to_string(fd);
    }
  }
  return list;
}

std::string BlockedSignals() {
  sigset_t blocked;
  (void)::sigprocmask(SIG_SETMASK, nullptr, &blocked);
  std::string list;
  for (int signal = 1; signal < SIGRTMIN; ++signal) {
    if (::sigismember(&blocked, signal) == 1) {
      list += " " + std::to_string(signal);
    }
  }
  return list;
}

// The ids, groups and capabilities, as the kernel writes them: no other way to ask for them is
// allowed below the spawner.
std::string Credentials() {
  std::ifstream status("/proc/self/status");
  std::string text;
  for (std::string line; std::getline(status, line);) {
    for (const char* const name : {"Uid:", "Gid:", "Groups:", "Cap"}) {
      text += line.starts_with(name) ? line + "\n" : "";
    }
  }
  return text;
}

// What the agent is given as its credential.
std::string Credential() {
  std::array<char, 64> text{};
  const ssize_t size = ::pread(6, text.data(), text.size(), 0);
  return {text.data(), size < 0 ? 0 : static_cast<std::size_t>(size)};
}

bool IsNull(int fd) {
  char byte = 0;
  return ::read(fd, &byte, 1) == 0 && ::write(fd, "x", 1) == 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string facts = "name " + std::string(argc == 1 ? argv[0] : "?") + "\n";
  for (char** variable = environ; *variable != nullptr; ++variable) {
    facts += "environment " + std::string(*variable) + "\n";
  }
  facts += "descriptors" + OpenDescriptors() + "\n";
  facts += "blocked" + BlockedSignals() + "\n";
  facts += Credentials();
  facts += "credential '" + Credential() + "'\n";
  facts += "null" + std::string(IsNull(0) && IsNull(1) && IsNull(2) ? " yes" : " no") + "\n";
  for (std::size_t sent = 0; sent < facts.size();) {
    const ssize_t n = ::write(3, facts.data() + sent, facts.size() - sent);
    if (n <= 0) {
      return 1;
    }
    sent += static_cast<std::size_t>(n);
  }
  return 0;
}
