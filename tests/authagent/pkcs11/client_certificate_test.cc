// What is accepted as a client certificate, and what is said about the rest.

#include "authagent/pkcs11/client_certificate.h"

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "authagent/credential.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "tests/authagent/pkcs11/software_key.h"

namespace baokms::authagent {
namespace {

constexpr std::int64_t kDay = 86'400;
constexpr CertificateRules kRules{.min_remaining_s = kDay, .leeway_s = 30};

std::span<const std::uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

const SoftwareKey& Authority() {
  static const SoftwareKey key("EC", "P-256");
  return key;
}

const SoftwareKey& Client() {
  static const SoftwareKey key("EC", "P-256");
  return key;
}

std::string PemOf(const SoftwareKey& key, const CertificateTraits& traits) {
  return ToPem(*MakeCertificate(*key.PublicKey(), Authority().pair(), traits));
}

Finding Classify(const std::string& pem) {
  const Result<ClientCertificate> certificate = ParseChain(Bytes(pem));
  if (!certificate) {
    return {AuthStatus::kError, std::string(certificate.error().what())};
  }
  return CheckCertificate(*certificate, kRules, UnixNow());
}

AuthStatus StatusOf(const CertificateTraits& traits) {
  return Classify(PemOf(Client(), traits)).status;
}

TEST(ClientCertificateTest, AcceptsAnOrdinaryOne) {
  EXPECT_EQ(Classify(PemOf(Client(), {})), (Finding{AuthStatus::kOk, ""}));
  EXPECT_EQ(StatusOf({.key_usage = nullptr}), AuthStatus::kOk);
  EXPECT_EQ(StatusOf({.extended_key_usage = "anyExtendedKeyUsage"}), AuthStatus::kOk);
  EXPECT_EQ(StatusOf({.extended_key_usage = "serverAuth,clientAuth"}), AuthStatus::kOk);
}

TEST(ClientCertificateTest, ClassifiesTimesWithLeeway) {
  EXPECT_EQ(StatusOf({.begins_in_s = 20}), AuthStatus::kOk);
  EXPECT_EQ(StatusOf({.begins_in_s = 3600}), AuthStatus::kCertInvalid);
  EXPECT_EQ(StatusOf({.ends_in_s = -3600}), AuthStatus::kCertExpired);
  EXPECT_EQ(StatusOf({.ends_in_s = -5}), AuthStatus::kCertNearExpiry);
  EXPECT_EQ(StatusOf({.ends_in_s = kDay - 60}), AuthStatus::kCertNearExpiry);
  EXPECT_EQ(StatusOf({.ends_in_s = kDay + 3600}), AuthStatus::kOk);
}

TEST(ClientCertificateTest, RefusesOtherUses) {
  EXPECT_EQ(StatusOf({.extended_key_usage = "serverAuth"}), AuthStatus::kCertInvalid);
  EXPECT_EQ(StatusOf({.extended_key_usage = nullptr}), AuthStatus::kCertInvalid);
  EXPECT_EQ(StatusOf({.key_usage = "keyEncipherment"}), AuthStatus::kCertInvalid);
}

TEST(ClientCertificateTest, RefusesWeakSignatures) {
  const SoftwareKey issuer("RSA", "2048");
  for (const EVP_MD* digest : {EVP_sha1(), EVP_md5()}) {
    const std::string pem =
        ToPem(*MakeCertificate(*Client().PublicKey(), issuer.pair(), {.digest = digest}));
    EXPECT_EQ(Classify(pem).status, AuthStatus::kCertInvalid);
  }
  EXPECT_EQ(StatusOf({.digest = EVP_sha1()}), AuthStatus::kCertInvalid);
}

TEST(ClientCertificateTest, ClassifiesKindAndSizeOfTheKey) {
  EXPECT_EQ(Classify(PemOf(SoftwareKey("RSA", "2048"), {})).status, AuthStatus::kOk);
  EXPECT_EQ(Classify(PemOf(SoftwareKey("RSA", "1024"), {})).status, AuthStatus::kCertInvalid);
  EXPECT_EQ(Classify(PemOf(SoftwareKey("EC", "P-384"), {})).status, AuthStatus::kOk);
  EXPECT_EQ(Classify(PemOf(SoftwareKey("EC", "P-521"), {})).status, AuthStatus::kOk);
  EXPECT_EQ(Classify(PemOf(SoftwareKey("EC", "secp256k1"), {})).status, AuthStatus::kCertInvalid);
  EXPECT_EQ(Classify(PemOf(SoftwareKey("ED25519"), {})).status, AuthStatus::kOk);
  EXPECT_EQ(Classify(PemOf(SoftwareKey("ED448"), {})).status, AuthStatus::kCertInvalid);
}

TEST(ClientCertificateTest, TakesTheFirstAsLeafAndKeepsTheRest) {
  const std::string leaf = PemOf(Client(), {});
  const std::string issuer = PemOf(Authority(), {});
  const Result<ClientCertificate> chain = ParseChain(Bytes("text before\n" + leaf + issuer));
  ASSERT_TRUE(chain);
  EXPECT_EQ(chain->chain.size(), 1U);
  EXPECT_EQ(EVP_PKEY_eq(chain->public_key(), &Client().pair()), 1);
}

TEST(ClientCertificateTest, NeverTakesAPrivateKey) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  ASSERT_EQ(
      PEM_write_bio_PrivateKey(bio.get(), &Client().pair(), nullptr, nullptr, 0, nullptr, nullptr),
      1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  const std::string key(data, static_cast<std::size_t>(size));
  const std::string leaf = PemOf(Client(), {});
  for (const std::string& pem : {leaf + key, key + leaf, key}) {
    const Result<ClientCertificate> chain = ParseChain(Bytes(pem));
    ASSERT_FALSE(chain);
    EXPECT_EQ(chain.error().what(), "contains a PEM block that is not a certificate");
  }
}

TEST(ClientCertificateTest, RefusesEveryTruncation) {
  const std::string pem = PemOf(Client(), {});
  for (std::size_t size = 0; size + 1 < pem.size(); ++size) {
    EXPECT_FALSE(ParseChain(Bytes(pem.substr(0, size)))) << size;
  }
}

TEST(ClientCertificateTest, BoundsTheChain) {
  const std::string leaf = PemOf(Client(), {});
  std::string pem;
  for (std::size_t i = 0; i < kMaxChainLength; ++i) {
    pem += leaf;
  }
  EXPECT_TRUE(ParseChain(Bytes(pem)));
  EXPECT_FALSE(ParseChain(Bytes(pem + leaf)));
  EXPECT_FALSE(ParseChain(Bytes(std::string(kMaxChainFile + 1, ' '))));
}

TEST(ClientCertificateTest, ReadsOnlyFilesThatOthersCannotTouch) {
  std::string folder = "/tmp/client_certificate_XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/chain.pem";
  std::ofstream(path) << PemOf(Client(), {});
  namespace fs = std::filesystem;
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  const auto finding = [&path] {
    return ReadChainFile(path, ::geteuid()).finding;
  };
  EXPECT_EQ(finding().status, AuthStatus::kOk);
  fs::permissions(path, fs::perms::owner_read | fs::perms::others_read);
  EXPECT_EQ(finding(), (Finding{AuthStatus::kError,
                                "unsafe_permissions: auth.cert.pkcs11.certificateFile: mode 0404, "
                                "at most 0640 is allowed; run chmod 0400 FILE"}));
  fs::remove(path);
  EXPECT_EQ(finding().status, AuthStatus::kError);
  std::ofstream(path) << "no certificate";
  fs::permissions(path, fs::perms::owner_read);
  EXPECT_EQ(finding(), (Finding{AuthStatus::kCertInvalid,
                                "invalid_content: auth.cert.pkcs11.certificateFile: is not a list "
                                "of PEM certificates; write the PEM certificates alone into it, "
                                "leaf first"}));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace baokms::authagent
