// Trust and identity for the connection to etcd.

#pragma once

#include <string>

namespace baokms::supervisor {

// PEM text. gRPC takes it as strings only; the process that holds it cannot be dumped and
// overwrites freed memory.
struct EtcdCredentials {
  std::string ca_pem;
  std::string certificate_pem;  // may be empty, as may the key: both or none
  std::string key_pem;          // without a passphrase
};

// Which flag names a file that cannot be used, and why; empty when all can. gRPC itself would only
// fail to connect.
std::string FindCredentialProblem(const EtcdCredentials& credentials);

}  // namespace baokms::supervisor
