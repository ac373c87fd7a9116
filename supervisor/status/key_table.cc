#include "supervisor/status/key_table.h"

#include "ipc/key_versions.h"
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
    if (record.version.created_at_unix > ipc::kMaxCreatedUnix ||
        !ipc::AppendVersion(record.version.number, record.version.created_at_unix,
                            *table.mutable_versions())) {
      return Error(ErrorCode::kResourceExhausted, "key version or creation time is too large");
    }
  }
  return table;
}

PublishedKeys ShowKeys(const contract::RegistryState& state, std::uint64_t generation) {
  PublishedKeys shown;
  shown.table_generation = generation;
  shown.active_key_id = std::string(state.active().key_id.text());
  shown.active_version = static_cast<std::uint32_t>(state.active().version.number);
  for (const contract::KeyRecord& record : state.contents().records) {
    if (contract::Decrypts(record.state)) {
      shown.decryptable.emplace(
          std::string(record.key_id.text()),
          DecryptableKey{.version = static_cast<std::uint32_t>(record.version.number),
                         .created_unix = record.version.created_at_unix});
    }
  }
  return shown;
}

}  // namespace baokms::supervisor
