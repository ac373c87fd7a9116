// Starts bao-kms-etcd-scan to read etcd, and waits for its counts.

#pragma once

#include <string>
#include <variant>

#include "supervisor/etcd/etcd_inventory.h"
#include "supervisor/etcd/etcd_options.h"

namespace baokms::supervisor {

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
