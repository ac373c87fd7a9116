#include "supervisor/etcd/credentials.h"

#include <memory>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace baokms::supervisor {
namespace {

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;

Bio Open(const std::string& pem) {
  return Bio(::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// Keeps OpenSSL from asking for a passphrase on the terminal.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) {
  return 0;
}

// Returns the first certificate of the text, or null.
Certificate ReadCertificate(const std::string& pem) {
  return Certificate(::PEM_read_bio_X509(Open(pem).get(), nullptr, NoPassphrase, nullptr));
}

std::string FindProblem(const EtcdCredentials& credentials) {
  if (ReadCertificate(credentials.ca_pem) == nullptr) {
    return "--cacert holds no PEM certificate that can be used";
  }
  if (credentials.certificate_pem.empty() && credentials.key_pem.empty()) {
    return "";
  }
  const Certificate leaf = ReadCertificate(credentials.certificate_pem);
  if (leaf == nullptr) {
    return "--cert holds no PEM certificate that can be used";
  }
  const PrivateKey key(
      ::PEM_read_bio_PrivateKey(Open(credentials.key_pem).get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) {
    return "--key holds no PEM private key without a passphrase";
  }
  return ::X509_check_private_key(leaf.get(), key.get()) == 1 ? ""
                                                              : "--key does not belong to --cert";
}

}  // namespace

std::string FindCredentialProblem(const EtcdCredentials& credentials) {
  std::string problem = FindProblem(credentials);
  ::ERR_clear_error();
  return problem;
}

}  // namespace baokms::supervisor
