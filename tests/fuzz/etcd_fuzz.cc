// What another process or etcd says about stored objects: the first byte chooses between a value of
// etcd and the inventory that bao-kms-etcd-scan sends. Properties: names are bounded, an inventory
// that is accepted says the same after it was sent again, and counting never loses an object.

#include <climits>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/contract/limits.h"
#include "proto/etcd_scan.pb.h"
#include "supervisor/etcd/etcd_inventory.h"
#include "supervisor/etcd/scan_message.h"
#include "supervisor/etcd/stored_value.h"
#include "tests/fuzz/require.h"

namespace {

using baokms::Require;
namespace supervisor = baokms::supervisor;

void CheckRoundTrip(const supervisor::EtcdScan& scan) {
  const auto again = supervisor::FromMessage(supervisor::ToMessage(scan));
  Require(again && again->revision == scan.revision, "an inventory can be sent");
  Require(again->inventory.groups() == scan.inventory.groups(), "and counts the same groups");
  Require(again->inventory.resources().size() == scan.inventory.resources().size(),
          "and the same kinds of objects");
}

// The key of the object up to the first line end, its value after it.
void CheckObject(std::string_view text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view value = text.substr(std::min(end + 1, text.size()));
  const supervisor::StoredValue stored = supervisor::ReadStoredValue(value);
  Require(!stored.encryption.empty(), "every value is encrypted in some way, or not");
  for (const std::string* part :
       {&stored.provider, &stored.key_id, &stored.lineage_hash, &stored.transit_version}) {
    Require(part->size() <= baokms::contract::kMaxKeyIdRequestBytes, "names are bounded");
  }
  Require(stored.encryption == "kms-v2" || stored.key_id.empty(), "only KMS v2 names a key_id");
  supervisor::EtcdScan scan;
  scan.revision = 1;
  if (scan.inventory.Add(text.substr(0, end), value)) {
    Require(scan.inventory.groups().at(stored) == 1, "an object is counted once");
    CheckRoundTrip(scan);
  }
}

void CheckAnswer(std::string_view text) {
  baokms::ipc::EtcdScanAnswer answer;
  if (!answer.ParseFromArray(text.data(), static_cast<int>(text.size()))) {
    return;
  }
  if (const auto scan = supervisor::FromMessage(answer)) {
    Require(scan->inventory.groups().size() <= supervisor::kMaxInventoryGroups, "few groups");
    CheckRoundTrip(*scan);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > INT_MAX) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'v') {
    CheckObject(text);
  } else {
    CheckAnswer(text);
  }
  return 0;
}
