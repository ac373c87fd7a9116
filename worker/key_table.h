// The keys this worker works with. The supervisor says which there are and which one encrypts; what
// a key_id means is derived here, never believed.

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

// One key with everything that requests need of it.
struct TableKey {
  contract::KeyBinding binding;
  contract::KeyVersion version;
  std::string associated_data;  // base64, as Transit wants it
};

class KeyTable final {
 public:
  explicit KeyTable(contract::KeyIdentity identity) : identity_(std::move(identity)) {}

  // Takes over a whole table or nothing of it. OUTCOME_OK, or the reason of the refusal:
  // STALE_TABLE (its generation is not larger, or its active version is below one that was active
  // before), REQUEST_LIMIT (a malformed list of versions, or too many), KEY_ID_MALFORMED (a version
  // that has no key_id, or is there twice), KEY_ID_UNKNOWN (the active key_id is not the one that
  // is derived here for any of the versions).
  ipc::Outcome Accept(const ipc::KeyTable& table, BootTime now);

  // The key of this id, or null. Lives until the next Accept().
  [[nodiscard]] const TableKey* Find(const contract::KeyId& key_id) const;

  // The key that encrypts; null while encryption is blocked.
  [[nodiscard]] const TableKey* active() const;

  // The key that a request admitted under `generation` may encrypt with; null when it may not. A
  // table is prepared here before the supervisor switches to it, so for kStraddle after Accept()
  // the active key of the table before is good for requests of that older table.
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
