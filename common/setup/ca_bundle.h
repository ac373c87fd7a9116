// A PEM bundle of certificate authorities, read in one way by whoever checks it and by whoever
// trusts it.

#pragma once

#include <functional>
#include <string_view>

#include "common/base/result.h"

namespace baokms::setup {

// Calls `use` with each certificate (an X509, which lives as long as the call) and stops when it
// fails. Fails with kInvalidArgument, with the rest of a sentence about the file, when the bundle
// has no certificate or one that cannot be read. Text around the certificates is skipped.
Status ForEachCertificate(std::string_view pem, const std::function<Status(void* x509)>& use);

// ForEachCertificate() for the verdict alone.
Status CheckCaBundle(std::string_view pem);

}  // namespace baokms::setup
