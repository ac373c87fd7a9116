// What the KMS service may know about the key: one immutable view, replaced as a whole, and the
// question "is this unknown key_id one that OpenBao has?". It hides registry, probes and rotation.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"

namespace baokms::supervisor {

// A version that may be decrypted.
struct DecryptableKey {
  std::uint32_t version = 0;
  std::int64_t created_unix = 0;
};

// The keys of the table that all workers acknowledged.
struct PublishedKeys {
  std::uint64_t table_generation = 0;
  std::string active_key_id;  // empty: no active key
  std::uint32_t active_version = 0;
  std::map<std::string, DecryptableKey, std::less<>> decryptable;
};

// Health and keys of one moment. Status and Encrypt take everything from one view.
struct StatusView : PublishedKeys {
  enum class Health : std::uint8_t {
    kOk,
    kUnhealthy,    // the last finding was bad
    kUnavailable,  // nothing was ever found: no registry, no probe yet
  };
  Health health = Health::kUnavailable;
  // Age of the last good metadata: the larger of the two clocks counts
  // (docs/contract.md#probes-and-health).
  BootTime metadata_at{};
  std::int64_t metadata_at_unix = 0;
  BootTime max_staleness{};
};

// Whether the view is too old to be called healthy at these two times.
[[nodiscard]] bool IsStale(const StatusView& view, BootTime now, std::int64_t now_unix);

enum class DiscoveryOutcome : std::uint8_t {
  kKnown,        // a view that was published by now holds it
  kUnknown,      // a full metadata read that is new enough does not have it
  kUnavailable,  // nobody could look
};

class StatusSource {
 public:
  virtual ~StatusSource() = default;

  // The current view; never null. Callable from any thread.
  [[nodiscard]] virtual std::shared_ptr<const StatusView> View() const = 0;

  // Looks a well-formed, unknown key_id up (docs/contract.md#discovery). `arrived` is
  // when its request came in. `done` runs on the loop's thread; at `deadline` at the latest, with
  // kUnavailable. Callable from any thread.
  virtual void Discover(std::string_view key_id,
                        BootTime arrived,
                        BootTime deadline,
                        std::function<void(DiscoveryOutcome)> done) = 0;

 protected:
  StatusSource() = default;
  StatusSource(const StatusSource&) = default;
  StatusSource& operator=(const StatusSource&) = default;
};

}  // namespace baokms::supervisor
