// The keys of this worker. The supervisor lists the key versions and the one that encrypts; the
// key_id of each is derived here and never taken from the supervisor.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/contract/identity.h"
#include "common/contract/key_binding.h"
#include "common/contract/key_id.h"
#include "proto/ipc.pb.h"

namespace baokms::worker {

// One key with all values that requests need.
struct TableKey {
  contract::KeyBinding binding;
  contract::KeyVersion version;
  std::string associated_data;  // base64, as Transit requires it
};

class KeyTable final {
 public:
  explicit KeyTable(contract::KeyIdentity identity) : identity_(std::move(identity)) {}

  // Replaces the whole table, or leaves it unchanged. Returns OUTCOME_OK or the reason of the
  // refusal: STALE_TABLE (its generation is not larger, or its active version is below one that was
  // active before), REQUEST_LIMIT (a malformed or too long list of versions), KEY_ID_MALFORMED (a
  // version that has no valid key_id, or a duplicate), KEY_ID_UNKNOWN (the active key_id matches
  // none of the key_ids derived here).
  ipc::Outcome Accept(const ipc::KeyTable& table, BootTime now);

  // Returns the key with this id, or null. The pointer is valid until the next Accept().
  [[nodiscard]] const TableKey* Find(const contract::KeyId& key_id) const;

  // Returns the key that encrypts, or null while encryption is blocked.
  [[nodiscard]] const TableKey* active() const;

  // Returns the key with which a request admitted under `generation` may encrypt, or null. Workers
  // receive a table before the supervisor switches to it, so for kPreviousTableLifetime after
  // Accept() the active key of the previous table remains valid for requests admitted under that
  // table.
  [[nodiscard]] const TableKey* FindForEncryption(const contract::KeyId& key_id,
                                                  std::uint64_t generation,
                                                  BootTime now) const;

  [[nodiscard]] std::uint64_t generation() const { return generation_; }

 private:
  using Keys = std::map<contract::KeyId, TableKey>;

  void TakeOver(Keys keys, const TableKey* active, BootTime now);

  contract::KeyIdentity identity_;
  Keys keys_;
  std::optional<contract::KeyId> active_;
  std::optional<contract::KeyId> previous_active_;
  BootTime previous_until_{};
  std::uint64_t generation_ = 0;
  std::int64_t highest_active_version_ = 0;
};

}  // namespace baokms::worker
