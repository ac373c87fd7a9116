#include "common/openbao/tls_roots.h"

#include <memory>
#include <utility>

#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "common/base/deleter.h"
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

}  // namespace

Result<std::unique_ptr<CurlLibrary>> CurlLibrary::Create() {
  // Comes first, so that libcurl's own initialisation finds OpenSSL initialised without a
  // configuration file.
  if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) {
    return Error(ErrorCode::kInternal, "OpenSSL cannot be initialised");
  }
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return Error(ErrorCode::kInternal, "libcurl cannot be initialised");
  }
  return std::unique_ptr<CurlLibrary>(new CurlLibrary());
}

CurlLibrary::~CurlLibrary() {
  curl_global_cleanup();
}

Result<TlsRoots> TlsRoots::Parse(std::string_view pem) {
  std::unique_ptr<X509_STORE, Deleter<X509_STORE_free>> store(X509_STORE_new());
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
  return TlsRoots(std::shared_ptr<void>(
      store.release(), [](void* owned) { X509_STORE_free(static_cast<X509_STORE*>(owned)); }));
}

void TlsRoots::InstallOn(void* ssl_ctx) const {
  SSL_CTX_set1_cert_store(static_cast<SSL_CTX*>(ssl_ctx), static_cast<X509_STORE*>(store_.get()));
}

}  // namespace baokms::openbao
