// Trust anchors and identity for the connection to etcd.

#pragma once

#include <string>

namespace baokms::supervisor {

// PEM text. gRPC accepts it only as strings; the process that holds it cannot be dumped and
// overwrites freed memory.
struct EtcdCredentials {
  std::string ca_pem;
  std::string certificate_pem;  // with key_pem both set or both empty
  std::string key_pem;          // without a passphrase
};

// Returns which flag names an unusable file, and why; empty if all are usable. gRPC itself would
// only fail to connect.
std::string FindCredentialProblem(const EtcdCredentials& credentials);

}  // namespace baokms::supervisor
