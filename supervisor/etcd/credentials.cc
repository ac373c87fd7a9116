#include "supervisor/etcd/credentials.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/base/deleter.h"
#include "common/base/result.h"
#include "common/setup/ca_bundle.h"

namespace baokms::supervisor {
namespace {

using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

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

std::string ToPem(X509* certificate) {
  const Bio bio(::BIO_new(::BIO_s_mem()));
  char* text = nullptr;
  if (bio == nullptr || ::PEM_write_bio_X509(bio.get(), certificate) != 1) {
    return "";
  }
  const long size = ::BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

// The certificates of one name.
struct SameName {
  std::unique_ptr<X509_NAME, Deleter<X509_NAME_free>> name;
  std::vector<std::string> pems;
};

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

std::vector<std::string> SplitByName(const std::string& ca_pem) {
  std::vector<SameName> names;
  std::size_t bundles = 0;
  // Like gRPC, takes what stands before a certificate that cannot be read.
  (void)setup::ForEachCertificate(ca_pem, [&](void* x509) -> Status {
    auto* certificate = static_cast<X509*>(x509);
    const X509_NAME* name = ::X509_get_subject_name(certificate);
    auto same = std::ranges::find_if(names, [name](const SameName& other) {
      return ::X509_NAME_cmp(other.name.get(), name) == 0;
    });
    if (same == names.end()) {
      names.emplace_back().name.reset(::X509_NAME_dup(name));
      same = std::prev(names.end());
    }
    same->pems.push_back(ToPem(certificate));
    bundles = std::max(bundles, same->pems.size());
    return {};
  }).has_value();
  std::vector<std::string> split(bundles);
  for (std::size_t i = 0; i < bundles; ++i) {
    for (const SameName& same : names) {
      split[i] += same.pems[i % same.pems.size()];
    }
  }
  return split;
}

}  // namespace baokms::supervisor
