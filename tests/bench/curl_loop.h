// Drives libcurl's multi interface with epoll, the fastest way libcurl has for many transfers in
// one thread. It knows nothing of what the transfers are.

#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include <curl/curl.h>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "tests/bench/step.h"

namespace baokms::bench {

class CurlLoop {
 public:
  // Called for each transfer that ended, after it was taken out of the loop; it may be added again.
  using Ended = std::function<Status(CURL* easy, CURLcode code)>;

  // Connections stay open until the loop is gone, at most `max_connections` of them.
  static Result<std::unique_ptr<CurlLoop>> Create(std::size_t max_connections);

  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;
  ~CurlLoop() = default;

  // Begins a transfer. The caller keeps the handle, which must not be in the loop yet.
  Status Add(CURL* easy);

  // Returns when no transfer is left, or with the first failure of `ended`.
  Status Run(const Ended& ended);

 private:
  struct Callbacks;

  struct Cleanup {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };

  CurlLoop() = default;

  [[nodiscard]] int WaitMilliseconds() const;
  Status Drive(curl_socket_t fd, int events);
  Status DriveReady();
  Status Dispatch(const Ended& ended);

  UniqueFd epoll_;
  std::optional<Clock::time_point> timer_;
  std::size_t in_flight_ = 0;
  std::unique_ptr<CURLM, Cleanup> multi_;  // gone first: its callbacks use the rest
};

}  // namespace baokms::bench
