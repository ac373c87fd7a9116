#include "tests/authagent/pkcs11/software_key.h"

#include <array>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

namespace baokms::authagent {
namespace {

EvpKey Generate(const char* type, const char* detail) {
  if (std::string_view(type) == "RSA") {
    return EvpKey(EVP_PKEY_Q_keygen(nullptr, "provider=default", type,
                                    static_cast<std::size_t>(std::stoul(detail))));
  }
  if (std::string_view(type) == "EC") {
    return EvpKey(EVP_PKEY_Q_keygen(nullptr, "provider=default", type, detail));
  }
  return EvpKey(EVP_PKEY_Q_keygen(nullptr, "provider=default", type));
}

EvpKey PairOf(const char* type, const char* detail, int number) {
  static std::map<std::tuple<std::string, std::string, int>, EvpKey> pairs;
  EvpKey& pair = pairs[{type, detail, number}];
  if (pair == nullptr) {
    pair = Generate(type, detail);
  }
  EVP_PKEY_up_ref(pair.get());
  return EvpKey(pair.get());
}

const EVP_MD* DigestOf(DigestKind kind) {
  switch (kind) {
    case DigestKind::kSha384:
      return EVP_sha384();
    case DigestKind::kSha512:
      return EVP_sha512();
    case DigestKind::kSha256:
      break;
  }
  return EVP_sha256();
}

// Modules give r and s, each as long as the order.
std::vector<std::uint8_t> ToRaw(const std::vector<std::uint8_t>& der, int order_bits) {
  const unsigned char* next = der.data();
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(
      d2i_ECDSA_SIG(nullptr, &next, static_cast<long>(der.size())), ECDSA_SIG_free);
  const int half = (order_bits + 7) / 8;
  std::vector<std::uint8_t> raw(static_cast<std::size_t>(half) * 2);
  EXPECT_EQ(BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), half), half);
  EXPECT_EQ(BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + half, half), half);
  return raw;
}

std::vector<std::uint8_t> SignMessage(EVP_PKEY& key, std::span<const std::uint8_t> text) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  std::vector<std::uint8_t> signature(64);
  std::size_t size = signature.size();
  EXPECT_EQ(EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, "provider=default",
                                  &key, nullptr),
            1);
  EXPECT_EQ(EVP_DigestSign(context.get(), signature.data(), &size, text.data(), text.size()), 1);
  return signature;
}

std::vector<std::uint8_t> SignDigest(EVP_PKEY& key, const SignatureRequest& request) {
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_pkey(nullptr, &key, "provider=default"), EVP_PKEY_CTX_free);
  EXPECT_EQ(EVP_PKEY_sign_init(context.get()), 1);
  if (request.scheme != SignatureScheme::kEcdsa) {
    const bool pss = request.scheme == SignatureScheme::kRsaPss;
    EXPECT_EQ(EVP_PKEY_CTX_set_rsa_padding(context.get(),
                                           pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING),
              1);
    EXPECT_EQ(EVP_PKEY_CTX_set_signature_md(context.get(), DigestOf(request.digest)), 1);
    EXPECT_TRUE(!pss ||
                EVP_PKEY_CTX_set_rsa_pss_saltlen(context.get(), RSA_PSS_SALTLEN_DIGEST) == 1);
  }
  std::vector<std::uint8_t> signature(2048);
  std::size_t size = signature.size();
  EXPECT_EQ(EVP_PKEY_sign(context.get(), signature.data(), &size, request.input.data(),
                          request.input.size()),
            1);
  signature.resize(size);
  return signature;
}

void AddExtension(X509& certificate, int kind, const char* value) {
  if (value == nullptr) {
    return;
  }
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
  ASSERT_NE(extension, nullptr);
  EXPECT_EQ(X509_add_ext(&certificate, extension, -1), 1);
  X509_EXTENSION_free(extension);
}

}  // namespace

SoftwareKey::SoftwareKey(const char* type, const char* detail, int number)
    : pair_(PairOf(type, detail, number)) {
}

EvpKey SoftwareKey::PublicKey() const {
  std::uint8_t* encoded = nullptr;
  const int size = i2d_PUBKEY(pair_.get(), &encoded);
  const std::uint8_t* next = encoded;
  EvpKey key(d2i_PUBKEY(nullptr, &next, size));
  OPENSSL_free(encoded);
  return key;
}

Result<std::vector<std::uint8_t>> SoftwareKey::Sign(const SignatureRequest& request) {
  schemes.push_back(request.scheme);
  if (failure) {
    return *failure;
  }
  if (request.scheme == SignatureScheme::kEd25519) {
    return SignMessage(*pair_, request.input);
  }
  const std::vector<std::uint8_t> signature = SignDigest(*pair_, request);
  return request.scheme == SignatureScheme::kEcdsa
             ? ToRaw(signature, EVP_PKEY_get_bits(pair_.get()))
             : signature;
}

std::shared_ptr<X509> MakeCertificate(EVP_PKEY& subject_key,
                                      EVP_PKEY& issuer,
                                      const CertificateTraits& traits) {
  std::shared_ptr<X509> certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 4711);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), static_cast<long>(traits.begins_in_s));
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), static_cast<long>(traits.ends_in_s));
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("client"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_set_pubkey(certificate.get(), &subject_key);
  AddExtension(*certificate, NID_ext_key_usage, traits.extended_key_usage);
  AddExtension(*certificate, NID_key_usage, traits.key_usage);
  EXPECT_GT(X509_sign(certificate.get(), &issuer, traits.digest), 0);
  return certificate;
}

std::string ToPem(X509& certificate) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  EXPECT_EQ(PEM_write_bio_X509(bio.get(), &certificate), 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace baokms::authagent
