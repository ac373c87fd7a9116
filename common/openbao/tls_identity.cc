#include "common/openbao/tls_identity.h"

#include <algorithm>

#include <openssl/ssl.h>

namespace baokms::openbao {

bool TlsIdentity::InstallOn(void* ssl_ctx) const {
  auto* context = static_cast<SSL_CTX*>(ssl_ctx);
  if (SSL_CTX_use_certificate(context, static_cast<X509*>(parts_.leaf.get())) != 1 ||
      SSL_CTX_use_PrivateKey(context, static_cast<EVP_PKEY*>(parts_.key.get())) != 1) {
    return false;
  }
  const bool chained = std::ranges::all_of(parts_.chain, [context](const auto& certificate) {
    return SSL_CTX_add1_chain_cert(context, static_cast<X509*>(certificate.get())) == 1;
  });
  const bool bounded = parts_.versions == Versions::kAll ||
                       SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION) == 1;
  return chained && bounded &&
         (parts_.signature_algorithms.empty() ||
          SSL_CTX_set1_client_sigalgs_list(context, parts_.signature_algorithms.c_str()) == 1);
}

}  // namespace baokms::openbao
