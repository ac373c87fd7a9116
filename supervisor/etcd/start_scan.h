// Starts bao-kms-etcd-scan to read etcd, and waits for its counts.

#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "supervisor/etcd/etcd_inventory.h"

namespace baokms::supervisor {

// The address of etcd and the credentials for it, as given by a command's flags.
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

// Why there is no inventory, in one line.
struct EtcdScanFailure {
  enum class Kind : std::uint8_t {
    kFile,  // a file that a flag names, or the program itself, is unusable
    kEtcd,  // etcd could not be read
  };
  Kind kind = Kind::kEtcd;
  std::string text;
};

using EtcdScanResult = std::variant<EtcdScan, EtcdScanFailure>;

// Opens the files of `options` and passes them as descriptors to the program at the path `program`.
// Must be called before this process drops its privileges and installs a filter. Blocks, for
// minutes in a large cluster and at most for the limit of scan_program.cc. Texts from etcd are
// never repeated.
EtcdScanResult RunEtcdScan(const EtcdOptions& options, const std::string& program);

// Returns the path of the program, beside this one.
std::string EtcdScanProgram();

}  // namespace baokms::supervisor
