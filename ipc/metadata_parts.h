// Splits a MetadataAnswer with more versions than one datagram holds in the worker, and joins the
// parts again in the supervisor.

#pragma once

#include <cstdint>
#include <vector>

#include "common/base/result.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {

// Returns the datagrams of `answer`, which must be sent in this order without any other message in
// between: full parts with `more_versions`, then the answer with the remaining versions.
std::vector<MetadataAnswer> SplitMetadata(MetadataAnswer answer);

// Collects the parts of one worker's answer.
class MetadataParts final {
 public:
  enum class Progress : std::uint8_t { kMoreToCome, kComplete };

  // Adds the next datagram, whose form has been checked. When the result is kComplete, `answer` is
  // complete. Fails with kProtocolViolation when the id changes, a part is not full, or there are
  // more than kMaxMetadataVersions.
  Result<Progress> Join(MetadataAnswer& answer);

 private:
  MetadataAnswer gathered_;  // without versions: no answer has begun
};

}  // namespace baokms::ipc
