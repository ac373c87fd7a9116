// Drives libcurl's multi handle with an EventLoop: its inputs are descriptors and timers, its
// output is finished transfers. It does not poll, and makes no system call for a descriptor whose
// events of interest are unchanged.

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>

#include "common/base/event_loop.h"
#include "common/base/result.h"

namespace baokms::openbao {

// Initialises OpenSSL and libcurl in a process that will lose access to files and sockets, and
// holds libcurl's global state. Objects that use libcurl must be created after it and destroyed
// before it.
class CurlLibrary final {
 public:
  static Result<std::unique_ptr<CurlLibrary>> Create();

  CurlLibrary(const CurlLibrary&) = delete;
  CurlLibrary& operator=(const CurlLibrary&) = delete;
  ~CurlLibrary();

 private:
  CurlLibrary() = default;
};

class CurlMulti final {
 public:
  // `easy` ended with `curl_code` and was removed from the multi handle. Never called from inside
  // Add() or Remove().
  using Finished = std::function<void(void* easy, int curl_code)>;

  // Keeps at most `max_idle` idle connections. Call it before the system call filter is installed.
  static Result<std::unique_ptr<CurlMulti>> Create(EventLoop& loop,
                                                   Finished finished,
                                                   std::uint32_t max_idle);

  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  // Closes all connections. Every easy handle must have been removed before.
  ~CurlMulti();

  // Starts `easy` (a CURL), and sends its request before returning if possible. Returns false when
  // libcurl refuses.
  [[nodiscard]] bool Add(void* easy);

  // Stops `easy`; Finished() is not called. A connection in use is closed.
  void Remove(void* easy);

  // Stops watching `fd`, which is about to be closed.
  void Forget(int fd);

 private:
  struct Callbacks;

  struct Ended {
    void* easy;
    int curl_code;
  };

  struct Watched {
    std::uint32_t events;
    bool in_use;  // by a transfer; otherwise idle and watched for its end
  };

  CurlMulti(EventLoop& loop, Finished finished, void* handle);

  void SetInterest(int fd, std::uint32_t events);
  void SetIdle(int fd);
  void SetTimer(long milliseconds);
  void OnReady(int fd, std::uint32_t events);
  void OnIdleReady(int fd);
  void Drive(int fd, int events);
  void CollectEnded();
  void Dispatch();

  EventLoop& loop_;
  Finished finished_;
  void* handle_;
  std::unordered_map<int, Watched> watched_;
  std::deque<Ended> ended_;
  EventLoop::TimerId timer_ = 0;
  EventLoop::TimerId dispatch_timer_ = 0;
  bool driving_ = false;
  bool run_again_ = false;
  bool dispatching_ = false;
};

}  // namespace baokms::openbao
