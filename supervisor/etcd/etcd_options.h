// The address of etcd and the credentials for it, as given by a command's flags.

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
  std::string certificate_file;           // with key_file both set or both empty
  std::string key_file;
  std::string prefix = "/registry/";  // prefix of the keys to read
};

}  // namespace baokms::supervisor
