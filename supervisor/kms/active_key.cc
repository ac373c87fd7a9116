#include "supervisor/kms/active_key.h"

#include "common/contract/key_binding.h"

namespace baokms::supervisor {

ActiveKeys::Checked ActiveKeys::Check(const StatusView& view, BootTime now, std::int64_t now_unix) {
  if (view.health == StatusView::Health::kUnavailable) {
    return {Cause::kStatusUnavailable, nullptr};
  }
  if (view.health != StatusView::Health::kOk || IsStale(view, now, now_unix)) {
    return {Cause::kStatusUnhealthy, nullptr};
  }
  if (view.active_key_id.empty()) {
    return {Cause::kNoActiveKey, nullptr};
  }
  const auto entry = view.decryptable.find(view.active_key_id);
  if (entry == view.decryptable.end() || entry->second.version != view.active_version) {
    return {Cause::kStatusKeyIdMismatch, nullptr};
  }
  std::shared_ptr<const ActiveKey> key =
      Derive(view.active_key_id, {entry->second.version, entry->second.created_unix});
  if (key == nullptr) {
    return {Cause::kStatusKeyIdMismatch, nullptr};
  }
  return {Cause::kNone, std::move(key)};
}

// Returns null if this version derives another key_id.
std::shared_ptr<const ActiveKey> ActiveKeys::Derive(const std::string& key_id,
                                                    contract::KeyVersion version) {
  const std::lock_guard lock(mutex_);
  if (last_ != nullptr && last_->key_id == key_id && last_->version == version) {
    return last_;
  }
  const auto binding = contract::BindKey(identity_, version);
  if (!binding || binding->key_id.text() != key_id) {
    return nullptr;
  }
  auto annotations = contract::BuildAnnotations(*binding, plugin_version_);
  if (!annotations) {
    return nullptr;
  }
  last_ =
      std::make_shared<const ActiveKey>(ActiveKey{key_id, version, std::move(annotations).value()});
  return last_;
}

}  // namespace baokms::supervisor
