#include "common/setup/ca_bundle.h"

#include <climits>
#include <cstddef>
#include <memory>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/base/deleter.h"
#include "common/base/error.h"

namespace baokms::setup {
bool PemReaderReachedEnd() {
  const unsigned long error = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  return at_end;
}

Status ForEachCertificate(std::string_view pem, const std::function<Status(void* x509)>& use) {
  if (pem.size() > INT_MAX) {
    return Error(ErrorCode::kResourceExhausted, "is too large");
  }
  const std::unique_ptr<BIO, Deleter<BIO_free>> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (bio == nullptr) {
    return Error(ErrorCode::kInternal, "cannot be read: out of memory");
  }
  std::size_t count = 0;
  while (true) {
    const std::unique_ptr<X509, Deleter<X509_free>> certificate(
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (certificate == nullptr) {
      break;
    }
    BAOKMS_TRY(use(certificate.get()));
    ++count;
  }
  if (!PemReaderReachedEnd()) {
    return Error(ErrorCode::kInvalidArgument, "contains a certificate that cannot be read");
  }
  if (count == 0) {
    return Error(ErrorCode::kInvalidArgument, "contains no PEM certificate");
  }
  return {};
}

Status CheckCaBundle(std::string_view pem) {
  return ForEachCertificate(pem, [](void*) { return Status(); });
}

}  // namespace baokms::setup
