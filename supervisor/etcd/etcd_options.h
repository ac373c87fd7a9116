// Where etcd is and how to prove who we are, as the flags of a command say it.

#pragma once

#include <cstdint>
#include <string>

namespace baokms::supervisor {

struct EtcdOptions {
  enum class Transport : std::uint8_t { kTls, kPlain };

  std::string host;  // a name, or an address without brackets
  std::uint16_t port = 0;
  Transport transport = Transport::kTls;  // kPlain: loopback only
  std::string ca_file;                    // kTls: PEM
  std::string certificate_file;           // may be empty, as may the key: both or none
  std::string key_file;
  std::string prefix = "/registry/";  // of the keys to read
};

}  // namespace baokms::supervisor
