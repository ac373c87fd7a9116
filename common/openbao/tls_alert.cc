#include "common/openbao/tls_alert.h"

#include <openssl/ssl.h>

namespace baokms::openbao {
namespace {

int ContextIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

int SessionIndex() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

void OnInfo(const SSL* ssl, int where, int level_and_alert) {
  const auto alert = static_cast<TlsAlert>(level_and_alert & 0xFF);
  if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT || alert == SSL_AD_CLOSE_NOTIFY ||
      alert == SSL_AD_USER_CANCELLED) {
    return;
  }
  void* target = SSL_get_ex_data(ssl, SessionIndex());
  if (target == nullptr) {
    target = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ContextIndex());
  }
  if (target != nullptr) {
    *static_cast<TlsAlert*>(target) = alert;
  }
}

}  // namespace

void WatchNewAlerts(void* ssl_ctx, TlsAlert& target) {
  auto* context = static_cast<SSL_CTX*>(ssl_ctx);
  if (SSL_CTX_set_ex_data(context, ContextIndex(), &target) == 1) {
    SSL_CTX_set_info_callback(context, &OnInfo);
  }
}

void WatchAlerts(const void* ssl, TlsAlert& target) {
  if (ssl != nullptr) {
    // If memory is exhausted, the alert is attributed to the call that opened the connection.
    (void)SSL_set_ex_data(static_cast<SSL*>(const_cast<void*>(ssl)), SessionIndex(), &target);
  }
}

}  // namespace baokms::openbao
