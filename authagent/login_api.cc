#include "authagent/login_api.h"

#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "common/openbao/error_class.h"
#include "common/openbao/tls.h"

namespace baokms::authagent {
namespace {

using openbao::ErrorClass;

// Returns whether a connection without a certificate was refused because of it. Servers send
// "certificate required" over TLS 1.3 and "bad certificate" over TLS 1.2.
bool RequiresCertificate(const openbao::CallReport& report) {
  const openbao::TlsAlert alert = report.tls_alert();
  return report.error_class == ErrorClass::kTlsFailed &&
         (alert == openbao::kCertificateRequired || alert == openbao::kBadCertificate);
}

// Returns whether TLS was established, whatever the server answered then.
bool WasConnected(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kTlsFailed:
    case ErrorClass::kDnsFailed:
    case ErrorClass::kConnectionFailed:
    case ErrorClass::kLoginBudgetUsedUp:
    case ErrorClass::kCanceled:
    case ErrorClass::kTimeout:
      return false;
    default:
      return true;
  }
}

}  // namespace

void ClientLoginApi::Login(const openbao::CallContext& context,
                           std::string_view auth_mount,
                           openbao::LoginRequest request,
                           openbao::Done<openbao::AuthValue> done) {
  if (request.identity == nullptr || workers_can_connect_) {
    (void)client_.Login(context, auth_mount, std::move(request), std::move(done));
    return;
  }
  // Shared, because a std::function must be copyable.
  auto waiting = std::make_shared<openbao::LoginRequest>(std::move(request));
  (void)client_.ProbeListener(
      context, [this, context, mount = std::string(auth_mount), waiting, done = std::move(done)](
                   openbao::CallReport report, std::monostate /*value*/) mutable {
        if (RequiresCertificate(report)) {
          report.calls.back().tls_alert = openbao::kCertificateRequired;
          done(std::move(report), {});
          return;
        }
        workers_can_connect_ = WasConnected(report.error_class);
        (void)client_.Login(context, mount, std::move(*waiting), std::move(done));
      });
}

}  // namespace baokms::authagent
