#include "ipc/key_versions.h"

#include <algorithm>
#include <utility>

#include "common/base/error.h"
#include "ipc/limits.h"

namespace baokms::ipc {
namespace {

bool IsVersion(std::int64_t version) {
  return version >= 1 && version <= kMaxVersionNumber;
}

bool IsTime(std::int64_t created_unix) {
  return created_unix >= 0 && created_unix <= kMaxCreatedUnix;
}

void AppendRange(const KeyVersions& from, std::size_t begin, std::size_t end, KeyVersions& to) {
  for (std::size_t i = begin; i < end; ++i) {
    to.add_version(from.version(static_cast<int>(i)));
    to.add_created_unix(from.created_unix(static_cast<int>(i)));
  }
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

std::vector<MetadataAnswer> SplitMetadata(MetadataAnswer answer) {
  std::vector<MetadataAnswer> datagrams;
  if (CountVersions(answer.versions()) <= kMaxKeyVersions) {
    datagrams.push_back(std::move(answer));
    return datagrams;
  }
  const KeyVersions all = std::exchange(*answer.mutable_versions(), {});
  std::size_t done = 0;
  for (; CountVersions(all) - done > kMaxKeyVersions; done += kMaxKeyVersions) {
    MetadataAnswer& part = datagrams.emplace_back();
    part.set_id(answer.id());
    part.set_outcome(OUTCOME_OK);
    part.set_upsert_outcome(OUTCOME_OK);
    part.set_more_versions(true);
    AppendRange(all, done, done + kMaxKeyVersions, *part.mutable_versions());
  }
  AppendRange(all, done, CountVersions(all), *answer.mutable_versions());
  datagrams.push_back(std::move(answer));
  return datagrams;
}

Result<MetadataParts::Progress> MetadataParts::Join(MetadataAnswer& answer) {
  const bool begun = CountVersions(gathered_.versions()) > 0;
  const std::size_t count = CountVersions(answer.versions());
  if ((begun && gathered_.id() != answer.id()) ||
      (answer.more_versions() && count != kMaxKeyVersions) ||
      CountVersions(gathered_.versions()) + count > kMaxMetadataVersions) {
    return Error(ErrorCode::kProtocolViolation, "metadata whose parts do not fit together");
  }
  if (!begun && !answer.more_versions()) {
    return Progress::kComplete;
  }
  gathered_.set_id(answer.id());
  AppendRange(answer.versions(), 0, count, *gathered_.mutable_versions());
  if (answer.more_versions()) {
    return Progress::kMoreToCome;
  }
  answer.mutable_versions()->Swap(gathered_.mutable_versions());
  gathered_.Clear();
  return Progress::kComplete;
}

}  // namespace baokms::ipc
