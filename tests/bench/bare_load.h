// The Transit calls themselves, over HTTPS and HTTP/1.1 with kept-alive connections: what the
// provider's numbers are compared with. It has no code of the provider in it.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <curl/curl.h>

#include "common/base/result.h"
#include "tests/bench/curl_loop.h"
#include "tests/bench/recorder.h"
#include "tests/bench/settings.h"
#include "tests/bench/step.h"

namespace baokms::bench {

class BareLoad {
 public:
  // libcurl must be set up.
  static Result<std::unique_ptr<BareLoad>> Create(BareSettings settings);

  // Encrypts kDistinctRequests seeds with the same key the first time, to have something to
  // decrypt. Says on standard error what OpenBao answered when that fails.
  Status Prepare();

  // Keeps `concurrency` calls in flight until the recorder is closed and all have ended. Fails with
  // the first call that fails. Prepare() comes before.
  Status Run(Operation operation, std::size_t concurrency, Recorder& recorder);

 private:
  struct Slot;

  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  explicit BareLoad(BareSettings settings);

  Result<std::unique_ptr<Slot>> MakeSlot(Operation operation) const;
  [[nodiscard]] const std::vector<std::string>& Bodies(Operation operation) const;
  Status Begin(Slot& slot);

  BareSettings settings_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::unique_ptr<CurlLoop> loop_;
  std::vector<std::string> encrypts_;
  std::vector<std::string> decrypts_;
};

}  // namespace baokms::bench
