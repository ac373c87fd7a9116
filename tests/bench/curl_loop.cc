#include "tests/bench/curl_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace baokms::bench {
namespace {

constexpr std::size_t kMaxEvents = 64;

}  // namespace

struct CurlLoop::Callbacks {
  // `known` is not null once the socket is watched.
  static int Socket(CURL* /*easy*/, curl_socket_t fd, int what, void* self, void* known) {
    auto& loop = *static_cast<CurlLoop*>(self);
    if (what == CURL_POLL_REMOVE) {
      (void)epoll_ctl(loop.epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
      return 0;
    }
    const auto interest = static_cast<unsigned>(what);
    epoll_event event{};
    event.events = ((interest & CURL_POLL_IN) != 0 ? EPOLLIN : 0U) |
                   ((interest & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U);
    event.data.fd = fd;
    const int action = known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(loop.epoll_.get(), action, fd, &event) != 0) {
      return -1;
    }
    curl_multi_assign(loop.multi_.get(), fd, &loop);
    return 0;
  }

  static int Timer(CURLM* /*multi*/, long milliseconds, void* self) {
    auto& timer = static_cast<CurlLoop*>(self)->timer_;
    timer.reset();
    if (milliseconds >= 0) {
      timer = Clock::now() + std::chrono::milliseconds(milliseconds);
    }
    return 0;
  }
};

Result<std::unique_ptr<CurlLoop>> CurlLoop::Create(std::size_t max_connections) {
  std::unique_ptr<CurlLoop> loop(new CurlLoop);
  loop->epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  loop->multi_.reset(curl_multi_init());
  CURLM* multi = loop->multi_.get();
  if (!loop->epoll_.valid() || multi == nullptr) {
    return Error(ErrorCode::kSystem, "epoll or libcurl", errno);
  }
  void* self = loop.get();
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &Callbacks::Socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, self);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &Callbacks::Timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, self);
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, long{CURLPIPE_NOTHING});
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(max_connections));
  return loop;
}

Status CurlLoop::Add(CURL* easy) {
  if (curl_multi_add_handle(multi_.get(), easy) != CURLM_OK) {
    return Error(ErrorCode::kInternal, "curl_multi_add_handle");
  }
  ++in_flight_;
  return Drive(CURL_SOCKET_TIMEOUT, 0);
}

int CurlLoop::WaitMilliseconds() const {
  constexpr std::chrono::milliseconds kMaxWait{1000};
  if (!timer_) {
    return static_cast<int>(kMaxWait.count());
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*timer_ - Clock::now());
  return static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), kMaxWait).count());
}

Status CurlLoop::Drive(curl_socket_t fd, int events) {
  int running = 0;  // does not count those that ended and wait for Dispatch()
  if (curl_multi_socket_action(multi_.get(), fd, events, &running) != CURLM_OK) {
    return Error(ErrorCode::kInternal, "curl_multi_socket_action");
  }
  return {};
}

Status CurlLoop::DriveReady() {
  std::array<epoll_event, kMaxEvents> events{};
  const int count = epoll_wait(epoll_.get(), events.data(), events.size(), WaitMilliseconds());
  if (count < 0 && errno != EINTR) {
    return Error(ErrorCode::kSystem, "epoll_wait", errno);
  }
  for (int n = 0; n < count; ++n) {
    const epoll_event& event = events.at(static_cast<std::size_t>(n));
    const int ready = ((event.events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                      ((event.events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                      ((event.events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
    BAOKMS_TRY(Drive(event.data.fd, ready));
  }
  if (timer_ && *timer_ <= Clock::now()) {
    timer_.reset();
    BAOKMS_TRY(Drive(CURL_SOCKET_TIMEOUT, 0));
  }
  return {};
}

Status CurlLoop::Dispatch(const Ended& ended) {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) {
      continue;
    }
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;
    curl_multi_remove_handle(multi_.get(), easy);
    --in_flight_;
    BAOKMS_TRY(ended(easy, code));
  }
  return {};
}

Status CurlLoop::Run(const Ended& ended) {
  BAOKMS_TRY(Dispatch(ended));  // a transfer may have ended while it was added
  while (in_flight_ > 0) {
    BAOKMS_TRY(DriveReady());
    BAOKMS_TRY(Dispatch(ended));
  }
  return {};
}

}  // namespace baokms::bench
