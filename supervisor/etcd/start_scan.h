// Has bao-kms-etcd-scan read etcd, and waits for what it counted.

#pragma once

#include <string>
#include <variant>

#include "supervisor/etcd/etcd_inventory.h"
#include "supervisor/etcd/etcd_options.h"

namespace baokms::supervisor {

// Why there is no inventory, in one line.
struct EtcdScanFailure {
  enum class Kind : std::uint8_t {
    kFile,  // a file that a flag names, or the program itself, cannot be used
    kEtcd,  // etcd could not be read
  };
  Kind kind = Kind::kEtcd;
  std::string text;
};

using EtcdScanResult = std::variant<EtcdScan, EtcdScanFailure>;

// Opens the files of `options` and passes them to `program`, a path, as descriptors. To be called
// before this process gives up its privileges and installs a filter. Blocks, for minutes in a large
// cluster and at most for the limit of scan_program.cc. Texts of etcd are never repeated.
EtcdScanResult RunEtcdScan(const EtcdOptions& options, const std::string& program);

// The path of the program, beside this one.
std::string EtcdScanProgram();

}  // namespace baokms::supervisor
