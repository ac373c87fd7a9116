// Reads every object under a prefix of etcd, as of one revision, and counts who encrypted it. etcd
// cannot hand out the beginning of a value alone: whole values pass through this process, page by
// page, and nothing of them but names and counts is kept.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "supervisor/etcd/etcd_inventory.h"
#include "supervisor/etcd/etcd_options.h"
#include "supervisor/etcd/tls_client.h"

namespace baokms::supervisor {

struct EtcdScan {
  EtcdInventory census;
  std::int64_t revision = 0;
};

// Made before this process gives its privileges up, used after that.
class EtcdReader final {
 public:
  // Reads the files that `options` names. The text says what is wrong with them.
  static std::variant<EtcdReader, std::string> Prepare(EtcdOptions options);

  // Blocks, for minutes in a large cluster; every single step has a limit. The text says why there
  // is no result, without a text of the server.
  [[nodiscard]] std::variant<EtcdScan, std::string> Scan() const;

 private:
  EtcdReader(EtcdOptions options, std::optional<TlsClient> tls)
      : options_(std::move(options)), tls_(std::move(tls)) {}

  EtcdOptions options_;
  std::optional<TlsClient> tls_;  // empty: plain
};

}  // namespace baokms::supervisor
