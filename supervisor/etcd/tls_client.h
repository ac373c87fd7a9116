// Trust and identity for the connection to etcd, loaded before this process gives its privileges
// up.

#pragma once

#include <memory>
#include <string>
#include <variant>

#include <openssl/types.h>

#include "supervisor/etcd/etcd_options.h"

namespace baokms::supervisor {

class TlsClient final {
 public:
  // Reads the files of `options`. The text names the flag that is at fault and why.
  static std::variant<TlsClient, std::string> Load(const EtcdOptions& options);

  // Lives as long as this object.
  [[nodiscard]] SSL_CTX* context() const { return context_.get(); }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const;
  };

  using Context = std::unique_ptr<SSL_CTX, Free>;

  explicit TlsClient(Context context) : context_(std::move(context)) {}

  Context context_;
};

}  // namespace baokms::supervisor
