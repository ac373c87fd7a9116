// The call to OpenBao that a login makes, as an interface that tests implement without a network.

#pragma once

#include <string_view>

#include "common/openbao/api.h"

namespace baokms::authagent {

// Has the guarantees of openbao::Client::Login(): `done` runs later, on the loop's thread, exactly
// once and at the context's deadline at the latest.
class LoginApi {
 public:
  LoginApi() = default;
  LoginApi(const LoginApi&) = delete;
  LoginApi& operator=(const LoginApi&) = delete;
  virtual ~LoginApi() = default;

  virtual void Login(const openbao::CallContext& context,
                     std::string_view auth_mount,
                     openbao::LoginRequest request,
                     openbao::Done<openbao::AuthValue> done) = 0;
};

// The production implementation. `client` must outlive it.
class ClientLoginApi final : public LoginApi {
 public:
  explicit ClientLoginApi(openbao::Client& client) : client_(client) {}

  // Before the first login with a client certificate it connects once without one, as workers do.
  // If the listener requires client certificates, the login ends with kTlsFailed and the alert
  // kCertificateRequired, because a worker could not use the token.
  void Login(const openbao::CallContext& context,
             std::string_view auth_mount,
             openbao::LoginRequest request,
             openbao::Done<openbao::AuthValue> done) override;

 private:
  openbao::Client& client_;
  bool workers_can_connect_ = false;  // according to the last probe of the listener
};

}  // namespace baokms::authagent
