// Initialises OpenSSL and libcurl in a process that will lose access to files and sockets, and
// holds the only certificates it trusts. It must not read a configuration file, a default directory
// or the environment.

#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "common/base/result.h"

namespace baokms::openbao {

// Holds libcurl's global state. Objects that use libcurl must be created after it and destroyed
// before it.
class CurlLibrary final {
 public:
  static Result<std::unique_ptr<CurlLibrary>> Create();

  CurlLibrary(const CurlLibrary&) = delete;
  CurlLibrary& operator=(const CurlLibrary&) = delete;
  ~CurlLibrary();

 private:
  CurlLibrary() = default;
};

// The trusted certificates, parsed once and shared by all connections.
class TlsRoots final {
 public:
  // Parses a bundle. Fails when `pem` holds no certificate or an unreadable one.
  static Result<TlsRoots> Parse(std::string_view pem);

  // Makes `ssl_ctx` (an SSL_CTX) trust these certificates and no others.
  void InstallOn(void* ssl_ctx) const;

 private:
  explicit TlsRoots(std::shared_ptr<void> store) : store_(std::move(store)) {}

  std::shared_ptr<void> store_;  // an X509_STORE
};

}  // namespace baokms::openbao
