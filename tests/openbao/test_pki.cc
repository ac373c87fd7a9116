#include "tests/openbao/test_pki.h"

#include <cstdlib>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace baokms::openbao {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }

  void operator()(X509* certificate) const { X509_free(certificate); }

  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
};

using Certificate = std::unique_ptr<X509, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

constexpr long kDay = 24L * 3600;

void Check(bool good) {
  if (!good) {
    std::abort();
  }
}

Key MakeKey() {
  Key key(EVP_EC_gen("P-256"));
  Check(key != nullptr);
  return key;
}

void AddExtension(X509& certificate, int nid, const std::string& value) {
  const std::unique_ptr<X509_EXTENSION, Free> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
  Check(extension != nullptr && X509_add_ext(&certificate, extension.get(), -1) == 1);
}

struct Validity {
  long from = -kDay;
  long to = kDay;
};

Certificate MakeCertificate(std::string_view name, EVP_PKEY& key, Validity validity) {
  Certificate certificate(X509_new());
  Check(certificate != nullptr);
  static long serial = 1;
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), validity.from);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), validity.to);
  X509_set_pubkey(certificate.get(), &key);
  const auto* text = reinterpret_cast<const unsigned char*>(name.data());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC, text,
                             static_cast<int>(name.size()), -1, 0);
  return certificate;
}

template <typename Writer>
std::string ToPem(Writer write) {
  const std::unique_ptr<BIO, Free> bio(BIO_new(BIO_s_mem()));
  Check(write(bio.get()) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string PemOf(X509& certificate) {
  return ToPem([&](BIO* bio) { return PEM_write_bio_X509(bio, &certificate); });
}

}  // namespace

struct TestAuthority::Parts {
  Key key;
  Certificate certificate;

  [[nodiscard]] ServerIdentity Issue(const std::string& alternative_name, Validity validity) const {
    const Key server_key = MakeKey();
    const Certificate server = MakeCertificate("server", *server_key, validity);
    X509_set_issuer_name(server.get(), X509_get_subject_name(certificate.get()));
    AddExtension(*server, NID_subject_alt_name, alternative_name);
    AddExtension(*server, NID_ext_key_usage, "serverAuth,clientAuth");
    Check(X509_sign(server.get(), key.get(), EVP_sha256()) > 0);
    return {.certificate_pem = PemOf(*server), .key_pem = ToPem([&](BIO* bio) {
                                                 return PEM_write_bio_PrivateKey(
                                                     bio, server_key.get(), nullptr, nullptr, 0,
                                                     nullptr, nullptr);
                                               })};
  }
};

TestAuthority::TestAuthority(std::string_view name) : parts_(std::make_unique<Parts>()) {
  parts_->key = MakeKey();
  parts_->certificate = MakeCertificate(name, *parts_->key, {});
  X509* certificate = parts_->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  AddExtension(*certificate, NID_basic_constraints, "critical,CA:TRUE");
  Check(X509_sign(certificate, parts_->key.get(), EVP_sha256()) > 0);
}

TestAuthority::~TestAuthority() = default;

std::string TestAuthority::CertificatePem() const {
  return PemOf(*parts_->certificate);
}

ServerIdentity TestAuthority::Issue(const std::string& alternative_name) const {
  return parts_->Issue(alternative_name, {});
}

ServerIdentity TestAuthority::IssueExpired(const std::string& alternative_name) const {
  return parts_->Issue(alternative_name, {.from = -2 * kDay, .to = -kDay});
}

}  // namespace baokms::openbao
