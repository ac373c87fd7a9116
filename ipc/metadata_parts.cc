#include "ipc/metadata_parts.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "common/base/error.h"
#include "common/base/result.h"
#include "ipc/key_versions.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {
namespace {

void AppendRange(const KeyVersions& from, std::size_t begin, std::size_t end, KeyVersions& to) {
  for (std::size_t i = begin; i < end; ++i) {
    to.add_version(from.version(static_cast<int>(i)));
    to.add_created_unix(from.created_unix(static_cast<int>(i)));
  }
}

}  // namespace

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
