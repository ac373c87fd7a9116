// A TLS connection that another library can use as a plain one: gRPC as linked here has no TLS of
// its own. One thread carries bytes between the two ends.

#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <variant>

#include <openssl/types.h>

#include "common/base/unique_fd.h"
#include "supervisor/etcd/tls_client.h"

namespace baokms::supervisor {

class TlsTunnel final {
 public:
  // Shakes hands over `connected`, a non-blocking socket to `host`, until `deadline`. The peer has
  // to prove that name or address. `client` must outlive the tunnel. Ignores SIGPIPE in this
  // process from now on, as OpenSSL writes with write(2). The text says what failed.
  static std::variant<std::unique_ptr<TlsTunnel>, std::string> Open(
      const TlsClient& client,
      UniqueFd connected,
      const std::string& host,
      std::chrono::steady_clock::time_point deadline);

  TlsTunnel(const TlsTunnel&) = delete;
  TlsTunnel& operator=(const TlsTunnel&) = delete;

  // Closes both ends and waits for the thread.
  ~TlsTunnel();

  // The end for the other library: non-blocking, once only.
  [[nodiscard]] UniqueFd TakePlainEnd() { return std::move(plain_end_); }

 private:
  struct Free {
    void operator()(SSL* ssl) const;
  };

  using Connection = std::unique_ptr<SSL, Free>;

  TlsTunnel(Connection ssl, UniqueFd socket, UniqueFd inner, UniqueFd plain_end)
      : ssl_(std::move(ssl)),
        socket_(std::move(socket)),
        inner_(std::move(inner)),
        plain_end_(std::move(plain_end)) {}

  void Carry();

  Connection ssl_;
  UniqueFd socket_;
  UniqueFd inner_;
  UniqueFd plain_end_;
  std::thread thread_;
};

}  // namespace baokms::supervisor
