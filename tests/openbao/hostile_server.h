// A TLS server that does exactly what a test says, one thread for each connection: the double for
// an OpenBao that is broken, slow or malicious.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/unique_fd.h"
#include "tests/openbao/test_pki.h"

namespace baokms::openbao {

// One request as it came: everything up to the blank line, and what Content-Length announced.
struct ReceivedRequest {
  std::string head;
  std::string body;
};

// One accepted connection after its TLS handshake. For the script's thread alone.
class Session final {
 public:
  Session(UniqueFd fd, void* ssl, int number);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Absent when the client closed.
  std::optional<ReceivedRequest> Read();

  void Write(std::string_view text);

  // Ends with a TCP reset instead of a TLS close.
  void Reset();

  // The SNI the client sent.
  [[nodiscard]] std::string ServerName() const;

  // Whether the client resumed an earlier session, in which case no certificate was presented.
  [[nodiscard]] bool WasResumed() const;

  // Connections are numbered from 0 in the order of their handshakes.
  [[nodiscard]] int number() const { return number_; }

 private:
  UniqueFd fd_;
  void* ssl_;
  int number_;
  std::string unread_;
};

// Handles one connection until it returns.
using Script = std::function<void(Session&)>;

// What happens to a connection before its script.
enum class Greeting : std::uint8_t {
  kHandshake,
  kReset,    // instead of a handshake
  kSilence,  // nothing is ever sent
};

class HostileServer final {
 public:
  HostileServer(const ServerIdentity& identity, Script script);
  ~HostileServer();
  HostileServer(const HostileServer&) = delete;
  HostileServer& operator=(const HostileServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

  // Handshakes without a client certificate are refused from now on, over TLS 1.3 after the
  // client's part of the handshake. Not while a handshake is in progress.
  void RequireClientCertificate();

  // No newer TLS version than 1.2 from now on.
  void LimitToTls12();

  void set_greeting(Greeting greeting) { greeting_ = greeting; }

  // Connections accepted so far, and the most that had a running script at the same time.
  [[nodiscard]] int accepted() const { return accepted_; }

  [[nodiscard]] int most_at_once() const { return most_at_once_; }

 private:
  void AcceptAll();
  void Serve(UniqueFd fd);
  void Run(UniqueFd fd, void* ssl);

  Script script_;
  std::shared_ptr<void> context_;  // an SSL_CTX
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<Greeting> greeting_ = Greeting::kHandshake;
  std::atomic<int> accepted_ = 0;
  std::atomic<int> handshakes_ = 0;
  std::atomic<int> at_once_ = 0;
  std::atomic<int> most_at_once_ = 0;
  std::mutex mutex_;
  std::vector<std::thread> threads_;  // guarded by mutex_
  std::vector<int> open_;             // guarded by mutex_; shut down at the end
  std::thread acceptor_;
};

// "HTTP/1.1 <status>" with a JSON body and Content-Length.
std::string HttpAnswer(std::string_view status, std::string_view body);

// The same with one more header line (no line end).
std::string HttpAnswer(std::string_view status, std::string_view body, std::string_view header);

// Answers every request of every connection with `answer`.
Script AlwaysAnswer(std::string answer);

}  // namespace baokms::openbao
