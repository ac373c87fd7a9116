#include "supervisor/status/key_table.h"

#include <limits>

#include "ipc/limits.h"

namespace baokms::supervisor {

Result<ipc::KeyTable> MakeKeyTable(const contract::RegistryState& state, std::uint64_t generation) {
  ipc::KeyTable table;
  table.set_generation(generation);
  table.set_active_key_id(std::string(state.active().key_id.text()));
  for (const contract::KeyRecord& record : state.contents().records) {
    if (!contract::Decrypts(record.state)) {
      continue;
    }
    if (record.version.number > std::numeric_limits<std::uint32_t>::max()) {
      return Error(ErrorCode::kResourceExhausted, "key version is too large");
    }
    ipc::KeyEntry& entry = *table.add_entries();
    entry.set_key_id(std::string(record.key_id.text()));
    entry.set_version(static_cast<std::uint32_t>(record.version.number));
    entry.set_created_unix(record.version.created_at_unix);
  }
  if (static_cast<std::size_t>(table.entries_size()) > ipc::kMaxKeyVersions) {
    return Error(ErrorCode::kResourceExhausted, "registry has too many keys for one table");
  }
  return table;
}

PublishedKeys ShowKeys(const ipc::KeyTable& table) {
  PublishedKeys shown;
  shown.table_generation = table.generation();
  shown.active_key_id = table.active_key_id();
  for (const ipc::KeyEntry& entry : table.entries()) {
    if (entry.key_id() == shown.active_key_id) {
      shown.active_version = entry.version();
    }
    shown.decryptable.emplace(entry.key_id(), DecryptableKey{.version = entry.version(),
                                                             .created_unix = entry.created_unix()});
  }
  return shown;
}

}  // namespace baokms::supervisor
