// The one parser for PEM bundles of certificate authorities, used both to check a bundle and to
// trust it.

#pragma once

#include <functional>
#include <string_view>

#include "common/base/result.h"

namespace baokms::setup {

// Returns whether the PEM reader of OpenSSL that failed last on this thread had read its whole
// input. Clears OpenSSL's errors.
bool PemReaderReachedEnd();

// Calls `use` with each certificate (an X509 that is valid during the call) and stops when it
// fails. Fails with kInvalidArgument, and with text that completes a sentence about the file, when
// the bundle contains no certificate or an unreadable one. Text around the certificates is skipped.
Status ForEachCertificate(std::string_view pem, const std::function<Status(void* x509)>& use);

// Checks a bundle as ForEachCertificate() does, without using the certificates.
Status CheckCaBundle(std::string_view pem);

}  // namespace baokms::setup
