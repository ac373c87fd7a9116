// Decides whether a view's active key may be used, and computes its annotations independently. The
// view is not trusted: its key_id must equal the one that derives from the configuration.

#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/contract/annotations.h"
#include "common/contract/identity.h"
#include "common/contract/key_id.h"
#include "supervisor/kms/error_policy.h"
#include "supervisor/status/status_source.h"

namespace baokms::supervisor {

// The active key at one moment. `annotations` accompany everything that is encrypted with it.
struct ActiveKey {
  std::string key_id;
  contract::KeyVersion version;
  std::vector<contract::Annotation> annotations;
};

// Callable from any thread.
class ActiveKeys final {
 public:
  ActiveKeys(contract::KeyIdentity identity, std::string plugin_version)
      : identity_(std::move(identity)), plugin_version_(std::move(plugin_version)) {}

  struct Checked {
    Cause cause = Cause::kNone;            // why there is no key: one of the status_stale causes
    std::shared_ptr<const ActiveKey> key;  // null if and only if `cause` is set
  };

  // Returns the view's active key if the view is healthy at `now`.
  [[nodiscard]] Checked Check(const StatusView& view, BootTime now, std::int64_t now_unix);

 private:
  std::shared_ptr<const ActiveKey> Derive(const std::string& key_id, contract::KeyVersion version);

  contract::KeyIdentity identity_;
  std::string plugin_version_;
  std::mutex mutex_;
  std::shared_ptr<const ActiveKey> last_;  // guarded by mutex_; avoids hashing again
};

}  // namespace baokms::supervisor
