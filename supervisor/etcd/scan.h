// Reads every object under a prefix of etcd, as of one revision, and counts who encrypted it. etcd
// cannot return only the beginning of a value, so whole values pass through this process, page by
// page; only names and counts are kept.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "supervisor/etcd/credentials.h"
#include "supervisor/etcd/etcd_inventory.h"

namespace baokms::supervisor {

struct EtcdTarget {
  std::string host;  // a name, or an address without brackets; the server must prove it
  std::uint16_t port = 0;
  std::string prefix;                          // prefix of the keys to read
  std::optional<EtcdCredentials> credentials;  // empty: no TLS, on the loopback interface only
};

// Blocks, for minutes in a large cluster; every single step has a time limit. On failure the text
// says why, without repeating a text from the server.
std::variant<EtcdScan, std::string> ScanEtcd(const EtcdTarget& target);

}  // namespace baokms::supervisor
