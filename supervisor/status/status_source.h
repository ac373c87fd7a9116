// What the KMS service may know about the key: one immutable view, replaced as a whole, and the
// answer to "does OpenBao have this unknown key_id?". It hides the registry, the probes and
// rotation.

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

// A version that may be decrypted with.
struct DecryptableKey {
  std::uint32_t version = 0;
  std::int64_t created_unix = 0;
};

// The keys of the table that all workers acknowledged.
struct PublishedKeys {
  std::uint64_t table_generation = 0;
  std::string active_key_id;  // empty if there is no active key
  std::uint32_t active_version = 0;
  std::map<std::string, DecryptableKey, std::less<>> decryptable;
};

// Health and keys at one moment. Status and Encrypt take everything from one view.
struct StatusView : PublishedKeys {
  enum class Health : std::uint8_t {
    kOk,
    kUnhealthy,    // the last result was bad
    kUnavailable,  // there is no result yet: no registry, no probe
  };
  Health health = Health::kUnavailable;
  // Time of the last good metadata. Its age is the larger one of the two clocks
  // (docs/contract.md#probes-and-health).
  BootTime metadata_at{};
  std::int64_t metadata_at_unix = 0;
  BootTime max_staleness{};
};

// Returns whether the view is too old at these two times to be called healthy.
[[nodiscard]] bool IsStale(const StatusView& view, BootTime now, std::int64_t now_unix);

enum class DiscoveryOutcome : std::uint8_t {
  kKnown,        // a view that has been published by now contains it
  kUnknown,      // a complete, recent metadata read does not contain it
  kUnavailable,  // no complete read was possible
};

class StatusSource {
 public:
  virtual ~StatusSource() = default;

  // Returns the current view; never null. Callable from any thread.
  [[nodiscard]] virtual std::shared_ptr<const StatusView> View() const = 0;

  // Looks up a well-formed, unknown key_id (docs/contract.md#discovery). `arrived` is when its
  // request arrived. `done` runs on the loop's thread, no later than `deadline`, with kUnavailable
  // at the deadline. Callable from any thread.
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
