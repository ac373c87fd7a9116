#include "ipc/key_versions.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/base/error.h"
#include "common/base/result.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {
namespace {

bool IsVersion(std::int64_t version) {
  return version >= 1 && version <= kMaxVersionNumber;
}

bool IsTime(std::int64_t created_unix) {
  return created_unix >= 0 && created_unix <= kMaxCreatedUnix;
}

}  // namespace

bool AppendVersion(std::int64_t version, std::int64_t created_unix, KeyVersions& list) {
  if (!IsVersion(version)) {
    return false;
  }
  list.add_version(static_cast<std::uint32_t>(version));
  list.add_created_unix(IsTime(created_unix) ? created_unix : 0);
  return true;
}

std::size_t CountVersions(const KeyVersions& list) {
  return static_cast<std::size_t>(list.version_size());
}

Status CheckForm(const KeyVersions& list) {
  if (CountVersions(list) > kMaxKeyVersions || list.version_size() != list.created_unix_size() ||
      !std::ranges::all_of(list.version(), IsVersion) ||
      !std::ranges::all_of(list.created_unix(), IsTime)) {
    return Error(ErrorCode::kProtocolViolation, "malformed list of key versions");
  }
  return {};
}

}  // namespace baokms::ipc
