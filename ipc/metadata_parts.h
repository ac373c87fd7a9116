// A MetadataAnswer with more versions than one datagram holds: cut by the worker, put together
// again by the supervisor.

#pragma once

#include <cstdint>
#include <vector>

#include "common/base/result.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {

// The datagrams of `answer`, in the order they have to be sent, with nothing in between: full parts
// with `more_versions`, then the answer with the rest.
std::vector<MetadataAnswer> SplitMetadata(MetadataAnswer answer);

// What one worker has sent of an answer so far.
class MetadataParts final {
 public:
  enum class Progress : std::uint8_t { kMoreToCome, kComplete };

  // Takes the next datagram, whose form was checked; kComplete: `answer` is whole now.
  // kProtocolViolation: it goes on with another id, a part is not full, or there are more than
  // kMaxMetadataVersions.
  Result<Progress> Join(MetadataAnswer& answer);

 private:
  MetadataAnswer gathered_;  // without versions: no answer has begun
};

}  // namespace baokms::ipc
