// PEM: trusted roots, the agent's certificate chain, and the credentials for etcd. Properties: the
// three readers agree about which text holds a certificate, a chain is bounded, a verdict does not
// change, and no error of OpenSSL remains on the thread for its next user to misread.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <openssl/err.h>

#include "authagent/pkcs11/client_certificate.h"
#include "common/setup/ca_bundle.h"
#include "supervisor/etcd/credentials.h"
#include "tests/fuzz/require.h"

namespace baokms {
namespace {

// A time at which the certificates of the corpus are valid, so that all checks are reached.
constexpr std::int64_t kNow = 1'800'000'000;

void CheckChain(std::string_view pem, const std::uint8_t* data) {
  const auto chain = authagent::ParseChain({data, pem.size()});
  if (!chain) {
    return;
  }
  Require(static_cast<bool>(setup::CheckCaBundle(pem)), "a chain is certificates");
  Require(chain->leaf != nullptr, "a chain has a leaf");
  Require(chain->chain.size() < authagent::kMaxChainLength, "a chain is bounded");
  const auto first = authagent::CheckCertificate(*chain, {}, kNow);
  Require(first.status == authagent::CheckCertificate(*chain, {}, kNow).status, "one verdict");
}

void CheckBundle(const std::string& pem) {
  std::size_t certificates = 0;
  const bool readable =
      static_cast<bool>(setup::ForEachCertificate(pem, [&certificates](void*) -> Status {
        ++certificates;
        return {};
      }));
  Require(!readable || certificates > 0, "a bundle holds a certificate");
  for (const std::string& bundle : supervisor::SplitByName(pem)) {
    Require(static_cast<bool>(setup::CheckCaBundle(bundle)), "a part of a bundle is a bundle");
    Require(supervisor::SplitByName(bundle).size() == 1, "a part has one certificate of each name");
  }
  Require((certificates == 0) == supervisor::SplitByName(pem).empty(), "no certificate is lost");
}

}  // namespace
}  // namespace baokms

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string pem(reinterpret_cast<const char*>(data), size);
  baokms::CheckChain(pem, data);
  baokms::CheckBundle(pem);
  (void)baokms::supervisor::FindCredentialProblem(
      {.ca_pem = pem, .certificate_pem = pem, .key_pem = pem});
  baokms::Require(ERR_peek_error() == 0, "no error is left for the next user of OpenSSL");
  return 0;
}
