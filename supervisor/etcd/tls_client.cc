#include "supervisor/etcd/tls_client.h"

#include <array>
#include <climits>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "supervisor/config/host_checks.h"
#include "supervisor/config/safe_file.h"

namespace baokms::supervisor {
namespace {

// A private key: for its owner, and a group that may read it.
FileRules KeyFileRules() {
  FileRules rules = CaFileRules();
  rules.forbidden_bits = 0037;
  return rules;
}

// HTTP/2, which is what gRPC speaks (RFC 9113, section 3.3).
constexpr std::array<unsigned char, 3> kAlpn = {2, 'h', '2'};

struct BioFree {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};

struct X509Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
};

struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

using Bio = std::unique_ptr<BIO, BioFree>;
using Certificate = std::unique_ptr<X509, X509Free>;

// A file's content, wiped with the object: it may be a private key.
class FileContent {
 public:
  // `refusal` is set when there is no content.
  FileContent(const std::string& path, const FileRules& rules) {
    const Opened opened = OpenFileByRules(path, rules);
    if (opened.refusal.has_value()) {
      refusal_ = DescribeRefusal(*opened.refusal, path);
      return;
    }
    auto content = ReadRegularFile(opened.fd.get(), kMaxCaBundleBytes);
    if (content.has_value()) {
      text_ = std::move(content).value();
    } else {
      refusal_ = DescribeFileError(content.error());
    }
  }

  FileContent(const FileContent&) = delete;
  FileContent& operator=(const FileContent&) = delete;

  ~FileContent() { ::OPENSSL_cleanse(text_.data(), text_.size()); }

  [[nodiscard]] const std::optional<std::string>& refusal() const { return refusal_; }

  [[nodiscard]] Bio Open() const {
    return Bio(::BIO_new_mem_buf(text_.data(), static_cast<int>(text_.size())));
  }

 private:
  std::string text_;
  std::optional<std::string> refusal_;
};

// Never asks a terminal for a passphrase.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) {
  return 0;
}

std::string TrustAuthorities(SSL_CTX* context, const EtcdOptions& options) {
  const FileContent file(options.ca_file, CaFileRules());
  if (file.refusal().has_value()) {
    return "--cacert " + *file.refusal();
  }
  const Bio bio = file.Open();
  std::size_t count = 0;
  for (;;) {
    const Certificate certificate(::PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr));
    if (certificate == nullptr) {
      break;
    }
    if (::X509_STORE_add_cert(::SSL_CTX_get_cert_store(context), certificate.get()) != 1) {
      return "--cacert holds a certificate that cannot be used";
    }
    ++count;
  }
  ::ERR_clear_error();  // the end of a PEM file is an error to OpenSSL
  return count > 0 ? "" : "--cacert holds no PEM certificate";
}

std::string UseCertificates(SSL_CTX* context, const EtcdOptions& options) {
  const FileContent file(options.certificate_file, CaFileRules());
  if (file.refusal().has_value()) {
    return "--cert " + *file.refusal();
  }
  const Bio bio = file.Open();
  const Certificate leaf(::PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr));
  if (leaf == nullptr || ::SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return "--cert holds no PEM certificate that can be used";
  }
  for (;;) {
    const Certificate issuer(::PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr));
    if (issuer == nullptr) {
      break;
    }
    if (::SSL_CTX_add1_chain_cert(context, issuer.get()) != 1) {
      return "--cert holds a certificate that cannot be used";
    }
  }
  ::ERR_clear_error();
  return "";
}

std::string UseKey(SSL_CTX* context, const EtcdOptions& options) {
  const FileContent file(options.key_file, KeyFileRules());
  if (file.refusal().has_value()) {
    return "--key " + *file.refusal();
  }
  const Bio bio = file.Open();
  const std::unique_ptr<EVP_PKEY, KeyFree> key(
      ::PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) {
    return "--key holds no PEM private key without a passphrase";
  }
  return ::SSL_CTX_use_PrivateKey(context, key.get()) == 1 &&
                 ::SSL_CTX_check_private_key(context) == 1
             ? ""
             : "--key does not belong to --cert";
}

// Fills `context`; the text is empty when all is well.
std::string SetUp(SSL_CTX* context, const EtcdOptions& options) {
  if (context == nullptr || ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      ::SSL_CTX_set_alpn_protos(context, kAlpn.data(), kAlpn.size()) != 0) {
    return "TLS cannot be set up";
  }
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  ::SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (std::string problem = TrustAuthorities(context, options); !problem.empty()) {
    return problem;
  }
  if (options.certificate_file.empty()) {
    return "";
  }
  if (std::string problem = UseCertificates(context, options); !problem.empty()) {
    return problem;
  }
  return UseKey(context, options);
}

}  // namespace

void TlsClient::Free::operator()(SSL_CTX* context) const {
  ::SSL_CTX_free(context);
}

std::variant<TlsClient, std::string> TlsClient::Load(const EtcdOptions& options) {
  // Without a configuration file of this host, which could load code.
  ::OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  Context context(::SSL_CTX_new(::TLS_client_method()));
  std::string problem = SetUp(context.get(), options);
  ::ERR_clear_error();
  if (!problem.empty()) {
    return problem;
  }
  return TlsClient(std::move(context));
}

}  // namespace baokms::supervisor
