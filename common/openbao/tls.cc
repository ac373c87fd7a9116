#include "common/openbao/tls.h"

#include <algorithm>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "common/setup/ca_bundle.h"

namespace baokms::openbao {
namespace {

// Returns whether `issuer` signed `certificate`. Without key identifiers, OpenSSL takes the first
// certificate with the issuer's name and never tries another, so in a bundle with an authority's
// old and new root the order would decide.
int IsIssuer(X509_STORE_CTX* /*context*/, X509* certificate, X509* issuer) {
  if (X509_check_issued(issuer, certificate) != X509_V_OK) {
    return 0;
  }
  const bool signed_by_it = X509_verify(certificate, X509_get0_pubkey(issuer)) == 1;
  ERR_clear_error();  // another candidate may match
  return signed_by_it ? 1 : 0;
}

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

Result<TlsRoots> TlsRoots::Parse(std::string_view pem) {
  const std::shared_ptr<X509_STORE> store(X509_STORE_new(), X509_STORE_free);
  if (store == nullptr) {
    return Error(ErrorCode::kInternal, "no memory for the CA bundle");
  }
  BAOKMS_TRY(setup::ForEachCertificate(pem, [&store](void* certificate) -> Status {
    if (X509_STORE_add_cert(store.get(), static_cast<X509*>(certificate)) != 1) {
      return Error(ErrorCode::kInvalidArgument, "CA bundle contains an unusable certificate");
    }
    return {};
  }));
  // Every certificate of the bundle is a trust anchor, whether it is a root or not.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
  X509_STORE_set_check_issued(store.get(), &IsIssuer);
  return TlsRoots(store);
}

void TlsRoots::InstallOn(void* ssl_ctx) const {
  SSL_CTX_set1_cert_store(static_cast<SSL_CTX*>(ssl_ctx), static_cast<X509_STORE*>(store_.get()));
}

bool TlsIdentity::InstallOn(void* ssl_ctx) const {
  auto* context = static_cast<SSL_CTX*>(ssl_ctx);
  if (SSL_CTX_use_certificate(context, static_cast<X509*>(leaf.get())) != 1 ||
      SSL_CTX_use_PrivateKey(context, static_cast<EVP_PKEY*>(key.get())) != 1) {
    return false;
  }
  const bool chained = std::ranges::all_of(chain, [context](const auto& certificate) {
    return SSL_CTX_add1_chain_cert(context, static_cast<X509*>(certificate.get())) == 1;
  });
  const bool bounded =
      versions == Versions::kAll || SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION) == 1;
  return chained && bounded &&
         (signature_algorithms.empty() ||
          SSL_CTX_set1_client_sigalgs_list(context, signature_algorithms.c_str()) == 1);
}

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
