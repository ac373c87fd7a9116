#include "common/openbao/tls_roots.h"

#include <climits>
#include <cstddef>
#include <memory>
#include <utility>

#include <curl/curl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "common/base/deleter.h"

namespace baokms::openbao {
namespace {

// True when PEM_read_bio_X509() stopped because there was nothing more to read.
bool AtEnd() {
  const unsigned long error = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  return at_end;
}

// Whether `issuer` signed `certificate`. Without key identifiers, OpenSSL itself takes the first
// certificate of the right name for the issuer and never comes back to the second one, so that the
// order of a bundle with an authority's old and new root would decide.
int IsIssuer(X509_STORE_CTX* /*context*/, X509* certificate, X509* issuer) {
  if (X509_check_issued(issuer, certificate) != X509_V_OK) {
    return 0;
  }
  const bool signed_by_it = X509_verify(certificate, X509_get0_pubkey(issuer)) == 1;
  ERR_clear_error();  // another candidate may fit
  return signed_by_it ? 1 : 0;
}

}  // namespace

Result<std::unique_ptr<CurlLibrary>> CurlLibrary::Create() {
  // First, so that libcurl's own initialisation finds OpenSSL done without a configuration file.
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
  if (pem.size() > INT_MAX) {
    return Error(ErrorCode::kResourceExhausted, "CA bundle is too large");
  }
  const std::unique_ptr<BIO, Deleter<BIO_free>> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::unique_ptr<X509_STORE, Deleter<X509_STORE_free>> store(X509_STORE_new());
  if (bio == nullptr || store == nullptr) {
    return Error(ErrorCode::kInternal, "no memory for the CA bundle");
  }
  std::size_t count = 0;
  for (;;) {
    const std::unique_ptr<X509, Deleter<X509_free>> certificate(
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (certificate == nullptr) {
      break;
    }
    if (X509_STORE_add_cert(store.get(), certificate.get()) != 1) {
      return Error(ErrorCode::kInvalidArgument, "CA bundle holds an unusable certificate");
    }
    ++count;
  }
  if (!AtEnd() || count == 0) {
    return Error(ErrorCode::kInvalidArgument, "CA bundle is not a list of PEM certificates");
  }
  // Every certificate of the bundle is trusted as it is, root or not.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
  X509_STORE_set_check_issued(store.get(), &IsIssuer);
  return TlsRoots(std::shared_ptr<void>(
      store.release(), [](void* owned) { X509_STORE_free(static_cast<X509_STORE*>(owned)); }));
}

void TlsRoots::InstallOn(void* ssl_ctx) const {
  SSL_CTX_set1_cert_store(static_cast<SSL_CTX*>(ssl_ctx), static_cast<X509_STORE*>(store_.get()));
}

}  // namespace baokms::openbao
