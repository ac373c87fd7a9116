// Keys of the provider in what they are for: signatures that OpenSSL verifies, and TLS.

#include "authagent/pkcs11/provider_key.h"

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#include "authagent/pkcs11/hsm_session.h"
#include "authagent/pkcs11/key_probe.h"
#include "authagent/pkcs11/signing_key.h"
#include "common/base/error.h"
#include "common/openbao/tls.h"
#include "tests/authagent/pkcs11/software_key.h"

namespace baokms::authagent {
namespace {

using openbao::TlsIdentity;

struct KeyType {
  const char* name;
  const char* type;
  const char* detail;
  KeyKind kind;
};

void PrintTo(const KeyType& key, std::ostream* stream) {
  *stream << key.name;
}

constexpr KeyType kKeys[] = {
    {"Rsa2048", "RSA", "2048", KeyKind::kRsa}, {"Rsa3072", "RSA", "3072", KeyKind::kRsa},
    {"P256", "EC", "P-256", KeyKind::kEc},     {"P384", "EC", "P-384", KeyKind::kEc},
    {"P521", "EC", "P-521", KeyKind::kEc},     {"Ed25519", "ED25519", "", KeyKind::kEd25519},
};

// Once in a process and for all its life, as the agent does it. OpenSSL's own cleaning up at exit
// would forget it while it is in use, which looks like a leak.
bool ProviderIsLoaded() {
  static const bool loaded = OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr) == 1 &&
                             LoadSigningProvider().has_value();
  return loaded;
}

class ProviderKeyTest : public testing::TestWithParam<KeyType> {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(ProviderIsLoaded()); }

  SoftwareKey signer{GetParam().type, GetParam().detail};
};

INSTANTIATE_TEST_SUITE_P(All, ProviderKeyTest, testing::ValuesIn(kKeys), [](const auto& key) {
  return std::string(key.param.name);
});

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }

  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

using SslContext = std::unique_ptr<SSL_CTX, FreeSsl>;
using Ssl = std::unique_ptr<SSL, FreeSsl>;

// Client and server over memory; the server asks for a certificate and takes any.
struct Handshake {
  Handshake(const TlsIdentity& identity, int version) {
    static const SoftwareKey server_key("EC", "P-256");
    const auto certificate = MakeCertificate(server_key.pair(), server_key.pair(), {});
    EXPECT_EQ(SSL_CTX_use_certificate(server_context.get(), certificate.get()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(server_context.get(), &server_key.pair()), 1);
    SSL_CTX_set_verify(server_context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       [](int, X509_STORE_CTX*) { return 1; });
    SSL_CTX_set_max_proto_version(server_context.get(), version);
    EXPECT_TRUE(identity.InstallOn(client_context.get()));
    client.reset(SSL_new(client_context.get()));
    server.reset(SSL_new(server_context.get()));
    BIO* client_side = nullptr;
    BIO* server_side = nullptr;
    EXPECT_EQ(BIO_new_bio_pair(&client_side, 65536, &server_side, 65536), 1);
    SSL_set_bio(client.get(), client_side, client_side);
    SSL_set_bio(server.get(), server_side, server_side);
    SSL_set_connect_state(client.get());
    SSL_set_accept_state(server.get());
  }

  // True when both sides are done and the server has seen the certificate's key at work.
  [[nodiscard]] bool Run() const {
    for (int round = 0; round < 10; ++round) {
      const bool client_done = SSL_do_handshake(client.get()) == 1;
      const bool server_done = SSL_do_handshake(server.get()) == 1;
      if (client_done && server_done) {
        return true;
      }
    }
    return false;
  }

  SslContext client_context{SSL_CTX_new(TLS_client_method())};
  SslContext server_context{SSL_CTX_new(TLS_server_method())};
  Ssl client;
  Ssl server;
};

TlsIdentity IdentityOf(SoftwareKey& signer,
                       TlsIdentity::Versions versions,
                       std::string algorithms) {
  const EvpKey public_key = signer.PublicKey();
  static const SoftwareKey authority("EC", "P-256");
  TlsIdentity identity;
  identity.leaf = MakeCertificate(*public_key, authority.pair(), {});
  identity.key = std::shared_ptr<EVP_PKEY>(*MakeProviderKey(*public_key, signer));
  identity.signature_algorithms = std::move(algorithms);
  identity.versions = versions;
  return identity;
}

TEST_P(ProviderKeyTest, KnowsWhatItIs) {
  const EvpKey public_key = signer.PublicKey();
  const Result<EvpKey> key = MakeProviderKey(*public_key, signer);
  ASSERT_TRUE(key);
  EXPECT_EQ(*KindOf(**key), GetParam().kind);
  EXPECT_EQ(EVP_PKEY_get_bits(key->get()), EVP_PKEY_get_bits(public_key.get()));
  EXPECT_EQ(EVP_PKEY_get_size(key->get()), EVP_PKEY_get_size(public_key.get()));
  EXPECT_EQ(EVP_PKEY_eq(key->get(), public_key.get()), 1);
  EXPECT_EQ(EVP_PKEY_eq(public_key.get(), key->get()), 1);
  const SoftwareKey other(GetParam().type, GetParam().detail, 1);
  EXPECT_NE(EVP_PKEY_eq(key->get(), other.PublicKey().get()), 1);
}

TEST_P(ProviderKeyTest, ProvesThatItBelongsToItsCertificate) {
  const EvpKey public_key = signer.PublicKey();
  const HsmKeyFacts facts{.kind = GetParam().kind, .rsa_pkcs1 = true, .rsa_pss = true};
  EXPECT_TRUE(ProbeKey(*public_key, signer, facts));
  const SoftwareKey other(GetParam().type, GetParam().detail, 1);
  const Status wrong = ProbeKey(*other.PublicKey(), signer, facts);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::kFailedPrecondition);
}

TEST_P(ProviderKeyTest, GivesTheModulesErrorAndNotOpenSsls) {
  signer.failure = Error(ErrorCode::kUnavailable, "C_Sign", 0x30);
  const HsmKeyFacts facts{.kind = GetParam().kind, .rsa_pkcs1 = true, .rsa_pss = true};
  const Status failed = ProbeKey(*signer.PublicKey(), signer, facts);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().what(), "C_Sign");
  EXPECT_EQ(failed.error().sys_errno(), 0x30);
}

TEST_P(ProviderKeyTest, AuthenticatesInTls13) {
  const Handshake handshake(IdentityOf(signer, TlsIdentity::Versions::kAll, ""), TLS1_3_VERSION);
  EXPECT_TRUE(handshake.Run());
  EXPECT_EQ(SSL_version(handshake.server.get()), TLS1_3_VERSION);
  EXPECT_EQ(signer.schemes.size(), 1U);
}

TEST_P(ProviderKeyTest, AuthenticatesInTls12) {
  const Handshake handshake(IdentityOf(signer, TlsIdentity::Versions::kAll, ""), TLS1_2_VERSION);
  EXPECT_TRUE(handshake.Run());
  EXPECT_EQ(SSL_version(handshake.server.get()), TLS1_2_VERSION);
  EXPECT_EQ(signer.schemes.size(), 1U);
}

TEST_P(ProviderKeyTest, FailsTheHandshakeWhenTheModuleFails) {
  signer.failure = Error(ErrorCode::kUnavailable, "C_Sign", 0x30);
  const Handshake handshake(IdentityOf(signer, TlsIdentity::Versions::kAll, ""), TLS1_3_VERSION);
  EXPECT_FALSE(handshake.Run());
  EXPECT_FALSE(signer.schemes.empty());
  ERR_clear_error();
}

class RsaKeyTest : public ProviderKeyTest {};

INSTANTIATE_TEST_SUITE_P(All, RsaKeyTest, testing::Values(kKeys[0]), [](const auto& key) {
  return std::string(key.param.name);
});

TEST_P(RsaKeyTest, KeepsToPkcs1WhereTheTokenHasNothingElse) {
  const Handshake handshake(
      IdentityOf(signer, TlsIdentity::Versions::kTls12Only, "RSA+SHA256:RSA+SHA384:RSA+SHA512"),
      TLS1_3_VERSION);
  EXPECT_TRUE(handshake.Run());
  EXPECT_EQ(SSL_version(handshake.server.get()), TLS1_2_VERSION);
  EXPECT_EQ(signer.schemes, std::vector{SignatureScheme::kRsaPkcs1});
}

TEST_P(RsaKeyTest, KeepsToPssWhereTheTokenHasNothingElse) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    signer.schemes.clear();
    const Handshake handshake(
        IdentityOf(signer, TlsIdentity::Versions::kAll,
                   "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512"),
        version);
    EXPECT_TRUE(handshake.Run());
    EXPECT_EQ(signer.schemes, std::vector{SignatureScheme::kRsaPss});
  }
}

TEST(ProviderTest, LeavesOtherKeysToOpenSsl) {
  ASSERT_TRUE(ProviderIsLoaded());
  const SoftwareKey key("EC", "P-256");
  const OSSL_PROVIDER* const owner = EVP_PKEY_get0_provider(key.PublicKey().get());
  ASSERT_NE(owner, nullptr);
  EXPECT_STREQ(OSSL_PROVIDER_get0_name(owner), "default");
}

TEST(ProviderTest, RefusesKindsThatTlsDoesNotUse) {
  const EvpKey key(EVP_PKEY_Q_keygen(nullptr, "provider=default", "X25519"));
  ASSERT_NE(key, nullptr);
  SoftwareKey signer("ED25519");
  EXPECT_FALSE(KindOf(*key));
  EXPECT_FALSE(MakeProviderKey(*key, signer));
}

}  // namespace
}  // namespace baokms::authagent
