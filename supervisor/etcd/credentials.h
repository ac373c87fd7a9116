// Trust anchors and identity for the connection to etcd.

#pragma once

#include <string>
#include <vector>

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

// Splits a CA bundle into bundles that do not contain two certificates of the same name. Together
// they contain all of its certificates; a name with fewer certificates than others is in each.
//
// Of roots with the same name and without key identifiers, OpenSSL takes the first one and never
// tries another, so the order would decide whether a server is trusted. gRPC does not give access
// to its certificate store, where common/openbao/tls.cc solves this for OpenBao: instead, a
// connection is tried with each of these bundles.
std::vector<std::string> SplitByName(const std::string& ca_pem);

}  // namespace baokms::supervisor
