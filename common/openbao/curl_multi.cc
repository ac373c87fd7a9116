#include "common/openbao/curl_multi.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include <curl/curl.h>
#include <openssl/ssl.h>

namespace baokms::openbao {

Result<std::unique_ptr<CurlLibrary>> CurlLibrary::Create() {
  // Comes first, so that libcurl's own initialisation finds OpenSSL initialised without a
  // configuration file.
  if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) {
    return Error(ErrorCode::kInternal, "OpenSSL cannot be initialised");
  }
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return Error(ErrorCode::kInternal, "libcurl cannot be initialised");
  }
  return std::unique_ptr<CurlLibrary>(new CurlLibrary());
}

CurlLibrary::~CurlLibrary() {
  curl_global_cleanup();
}

struct CurlMulti::Callbacks {
  static int Socket(CURL* /*easy*/, curl_socket_t fd, int what, void* self, void* /*unused*/) {
    auto& multi = *static_cast<CurlMulti*>(self);
    if (what == CURL_POLL_REMOVE) {
      multi.SetIdle(fd);
      return 0;
    }
    const auto interest = static_cast<unsigned>(what);
    multi.SetInterest(fd, ((interest & CURL_POLL_IN) != 0 ? EPOLLIN : 0U) |
                              ((interest & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U));
    return 0;
  }

  static int Timer(CURLM* /*handle*/, long milliseconds, void* self) {
    static_cast<CurlMulti*>(self)->SetTimer(milliseconds);
    return 0;
  }
};

Result<std::unique_ptr<CurlMulti>> CurlMulti::Create(EventLoop& loop,
                                                     Finished finished,
                                                     std::uint32_t max_idle) {
  CURLM* handle = curl_multi_init();
  if (handle == nullptr) {
    return Error(ErrorCode::kInternal, "curl_multi_init");
  }
  std::unique_ptr<CurlMulti> multi(new CurlMulti(loop, std::move(finished), handle));
  bool good = true;
  const auto set = [&](CURLMoption option, auto value) {
    good = good && curl_multi_setopt(handle, option, value) == CURLM_OK;
  };
  set(CURLMOPT_SOCKETFUNCTION, &Callbacks::Socket);
  set(CURLMOPT_SOCKETDATA, static_cast<void*>(multi.get()));
  set(CURLMOPT_TIMERFUNCTION, &Callbacks::Timer);
  set(CURLMOPT_TIMERDATA, static_cast<void*>(multi.get()));
  set(CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
  set(CURLMOPT_MAXCONNECTS, static_cast<long>(max_idle));
  if (!good) {
    return Error(ErrorCode::kInternal, "libcurl lacks an option");
  }
  return multi;
}

CurlMulti::CurlMulti(EventLoop& loop, Finished finished, void* handle)
    : loop_(loop), finished_(std::move(finished)), handle_(handle) {
}

CurlMulti::~CurlMulti() {
  curl_multi_cleanup(handle_);
  loop_.Cancel(timer_);
  loop_.Cancel(dispatch_timer_);
  for (const auto& [fd, watched] : watched_) {
    loop_.Unwatch(fd);
  }
}

bool CurlMulti::Add(void* easy) {
  driving_ = true;  // a timeout of 0 is handled below, without a timer
  const bool added = curl_multi_add_handle(handle_, easy) == CURLM_OK;
  driving_ = false;
  if (!added) {
    return false;
  }
  Drive(CURL_SOCKET_TIMEOUT, 0);
  if (!ended_.empty() && !dispatching_ && dispatch_timer_ == 0) {
    dispatch_timer_ = loop_.After(BootTime::zero(), [this] {
      dispatch_timer_ = 0;
      Dispatch();
    });
  }
  return true;
}

void CurlMulti::Remove(void* easy) {
  const auto ended = std::find_if(ended_.begin(), ended_.end(),
                                  [&](const Ended& candidate) { return candidate.easy == easy; });
  if (ended != ended_.end()) {
    ended_.erase(ended);
    return;
  }
  (void)curl_multi_remove_handle(handle_, easy);
}

void CurlMulti::Forget(int fd) {
  if (watched_.erase(fd) > 0) {
    loop_.Unwatch(fd);
  }
}

// If watching fails, the transfer ends at its deadline: the kernel reports only a lack of memory.
void CurlMulti::SetInterest(int fd, std::uint32_t events) {
  const auto found = watched_.find(fd);
  if (found == watched_.end()) {
    watched_.emplace(fd, Watched{.events = events, .in_use = true});
    (void)loop_.Watch(fd, events, [this, fd](std::uint32_t ready) { OnReady(fd, ready); });
    return;
  }
  found->second.in_use = true;
  if (found->second.events != events) {
    found->second.events = events;
    (void)loop_.Modify(fd, events);
  }
}

void CurlMulti::SetIdle(int fd) {
  if (watched_.contains(fd)) {
    SetInterest(fd, EPOLLIN);
    watched_[fd].in_use = false;
  }
}

void CurlMulti::SetTimer(long milliseconds) {
  if (milliseconds == 0 && driving_) {
    run_again_ = true;
    return;
  }
  loop_.Cancel(timer_);
  timer_ = 0;
  if (milliseconds >= 0) {
    timer_ = loop_.After(std::chrono::milliseconds(milliseconds), [this] {
      timer_ = 0;
      Drive(CURL_SOCKET_TIMEOUT, 0);
      Dispatch();
    });
  }
}

void CurlMulti::OnReady(int fd, std::uint32_t events) {
  const auto found = watched_.find(fd);
  if (found == watched_.end()) {
    return;
  }
  if (!found->second.in_use) {
    OnIdleReady(fd);
    return;
  }
  int ready = 0;
  ready |= (events & (EPOLLIN | EPOLLRDHUP)) != 0 ? CURL_CSELECT_IN : 0;
  ready |= (events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
  ready |= (events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0;
  Drive(fd, ready);
  Dispatch();
}

// Data from a server on an idle connection announces its end. libcurl peeks with MSG_PEEK and
// mistakes a TLS close alert for a sign of life, so the alert is read here and only the end of file
// remains. Any other bytes make the connection unusable; the next request on it detects this and is
// repeated on another one.
void CurlMulti::OnIdleReady(int fd) {
  std::array<char, 4096> scrap{};
  const ssize_t count = ::recv(fd, scrap.data(), scrap.size(), MSG_DONTWAIT);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
    Forget(fd);
  }
}

void CurlMulti::Drive(int fd, int events) {
  constexpr int kMaxRounds = 16;  // the rest waits for the next iteration of the loop
  int running = 0;
  driving_ = true;
  run_again_ = false;
  (void)curl_multi_socket_action(handle_, fd, events, &running);
  for (int round = 0; run_again_ && round < kMaxRounds; ++round) {
    run_again_ = false;
    (void)curl_multi_socket_action(handle_, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  driving_ = false;
  if (run_again_) {
    SetTimer(0);
  }
  CollectEnded();
}

void CurlMulti::CollectEnded() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(handle_, &left)) {
    if (message->msg == CURLMSG_DONE) {
      CURL* const easy = message->easy_handle;
      const CURLcode code = message->data.result;
      (void)curl_multi_remove_handle(handle_, easy);
      ended_.push_back({easy, code});
    }
  }
}

void CurlMulti::Dispatch() {
  if (dispatching_) {
    return;
  }
  dispatching_ = true;
  while (!ended_.empty()) {
    const Ended ended = ended_.front();
    ended_.pop_front();
    finished_(ended.easy, ended.curl_code);
  }
  dispatching_ = false;
}

}  // namespace baokms::openbao
