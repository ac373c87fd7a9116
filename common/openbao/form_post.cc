#include "common/openbao/form_post.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <curl/curl.h>

#include "common/base/error.h"
#include "common/openbao/http_limits.h"
#include "common/openbao/outcome.h"

namespace baokms::openbao {
namespace {

constexpr long kWanted = 200;

// Names that libcurl never looks up: every socket comes from the connector.
constexpr char kConnectTo[] = "::192.0.2.1:";
constexpr char kProxy[] = "http://192.0.2.1:1";

}  // namespace

// One post. libcurl holds pointers to it while it runs.
struct FormPoster::Job {
  explicit Job(FormPoster& poster) : owner(poster) {}

  FormPoster& owner;
  FormRequest request;
  BootTime deadline{};
  BootTime connect_limit{};  // how long one address may take: a third of the whole time
  Done done;

  std::uint32_t attempt = 0;
  std::uint32_t addresses = 1;
  Connector::RequestId asking = 0;
  EventLoop::TimerId timer = 0;
  BrokeredSocket socket;  // at hand, until libcurl takes it
  int descriptor = -1;
  CURL* easy = nullptr;
  bool running = false;
  bool connected = false;  // TLS is up
  std::size_t header_bytes = 0;
  std::array<curl_slist, 4> headers{};
  curl_slist connect_to{};
  std::string content_type_line = "Content-Type: application/x-www-form-urlencoded";
  std::string accept_line = "Accept: application/json";
  std::string expect_line = "Expect:";
  std::string connect_to_text = kConnectTo;
  FormAnswer answer;

  [[nodiscard]] long Status() const {
    long status = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
  }

  void ListHeaders() {
    std::size_t used = 0;
    const auto add = [&](char* text) {
      headers[used] = {text, nullptr};
      if (used > 0) {
        headers[used - 1].next = &headers[used];
      }
      ++used;
    };
    add(content_type_line.data());
    add(accept_line.data());
    add(expect_line.data());
    if (request.authorization.size() > 0) {
      add(request.authorization.data());
    }
    connect_to = {connect_to_text.data(), nullptr};
  }

  // The functions libcurl calls.
  static std::size_t Header(char* /*data*/, std::size_t size, std::size_t count, void* self) {
    auto& job = *static_cast<Job*>(self);
    job.header_bytes += size * count;
    return job.header_bytes > kMaxHeaderBytes ? 0 : size * count;
  }

  static std::size_t Body(char* data, std::size_t size, std::size_t count, void* self) {
    auto& job = *static_cast<Job*>(self);
    const std::size_t length = size * count;
    if (job.Status() != kWanted) {
      return 0;  // nobody reads it: the status alone is judged
    }
    if (length > kMaxFormAnswerBytes - job.answer.body.size()) {
      job.answer.error_class = ErrorClass::kUndecodable;
      return 0;
    }
    job.answer.body.Append({data, length});
    return length;
  }

  static curl_socket_t Open(void* self, curlsocktype /*purpose*/, curl_sockaddr* /*address*/) {
    auto& job = *static_cast<Job*>(self);
    if (!job.socket.fd.valid()) {
      return CURL_SOCKET_BAD;
    }
    job.descriptor = job.owner.connections_.Adopt(std::move(job.socket), 0);
    return job.descriptor;
  }

  // A connection may outlive its job for a moment, so this one is the poster's.
  static int Close(void* poster, curl_socket_t fd) {
    auto& owner = *static_cast<FormPoster*>(poster);
    if (owner.multi_ != nullptr) {
      owner.multi_->Forget(fd);
    } else {
      owner.loop_.Unwatch(fd);  // from the destructor
    }
    owner.connections_.Close(fd);
    return 0;
  }

  static int Connected(void* self, char* /*peer*/, char* /*local*/, int /*port*/, int /*port*/) {
    auto& job = *static_cast<Job*>(self);
    job.connected = true;
    job.owner.connections_.NoteUsable(job.descriptor, nullptr);
    return CURL_PREREQFUNC_OK;
  }

  static CURLcode Tls(CURL* /*handle*/, void* ssl_ctx, void* roots) {
    static_cast<const TlsRoots*>(roots)->InstallOn(ssl_ctx);
    return CURLE_OK;
  }
};

Result<std::unique_ptr<FormPoster>> FormPoster::Create(EventLoop& loop,
                                                       Connector& connector,
                                                       FormPostOptions options) {
  if (!options.url.starts_with("https://")) {
    return Error(ErrorCode::kInvalidArgument, "token endpoint without https");
  }
  std::unique_ptr<CurlLibrary> library = BAOKMS_TRY(CurlLibrary::Create());
  TlsRoots roots = BAOKMS_TRY(TlsRoots::Parse(options.ca_pem));
  options.ca_pem.clear();
  std::unique_ptr<FormPoster> poster(
      new FormPoster(loop, connector, std::move(options), std::move(library), std::move(roots)));
  CurlMulti::Listener& listener = *poster;
  poster->multi_ = BAOKMS_TRY(CurlMulti::Create(loop, listener, 1));
  return poster;
}

FormPoster::FormPoster(EventLoop& loop,
                       Connector& connector,
                       FormPostOptions options,
                       std::unique_ptr<CurlLibrary> library,
                       TlsRoots roots)
    : loop_(loop),
      connector_(connector),
      options_(std::move(options)),
      library_(std::move(library)),
      roots_(std::move(roots)),
      connections_(connector, 1) {
}

FormPoster::~FormPoster() {
  for (const std::unique_ptr<Job>& job : jobs_) {
    connections_.Silence(job->descriptor);
    StopAttempt(*job);
    loop_.Cancel(job->timer);
  }
  const std::unique_ptr<CurlMulti> ending = std::move(multi_);  // closes connections: Close()
}

void FormPoster::Post(FormRequest request, BootTime deadline, Done done) {
  const BootTime now = BootNow();
  if (jobs_.size() >= kMaxFormPosts || deadline <= now) {
    loop_.Post([done = std::move(done), late = deadline <= now] {
      done({.error_class = late ? ErrorClass::kTimeout : ErrorClass::kUnavailable});
    });
    return;
  }
  auto job = std::make_unique<Job>(*this);
  job->request = std::move(request);
  job->deadline = deadline;
  job->connect_limit = (deadline - now) / 3;
  job->done = std::move(done);
  jobs_.push_back(std::move(job));
  ConnectAttempt(*jobs_.back());
}

void FormPoster::ConnectAttempt(Job& job) {
  job.connected = false;
  job.header_bytes = 0;
  job.answer = {};
  const BootTime limit = std::min(job.deadline, BootNow() + job.connect_limit);
  loop_.Cancel(job.timer);
  job.timer = loop_.At(limit, [this, &job] { OnTimer(job); });
  job.asking = connector_.RequestSocket(
      options_.endpoint, job.attempt,
      [this, &job](SocketAnswer answer) { OnSocket(job, std::move(answer)); });
}

void FormPoster::OnSocket(Job& job, SocketAnswer answer) {
  job.asking = 0;
  if (answer.error_class != ErrorClass::kOk || !answer.socket.fd.valid()) {
    GoToNextAddress(job, answer.error_class == ErrorClass::kOk ? ErrorClass::kConnectionFailed
                                                               : answer.error_class);
    return;
  }
  job.addresses = std::clamp(answer.socket.address_count, std::uint32_t{1}, kMaxAddresses);
  job.socket = std::move(answer.socket);
  Start(job);
}

void FormPoster::Start(Job& job) {
  job.easy = curl_easy_init();
  if (job.easy == nullptr || !SetOptions(job) || !multi_->Add(job.easy)) {
    End(job, ErrorClass::kUnavailable);
    return;
  }
  job.running = true;
}

bool FormPoster::SetOptions(Job& job) {
  job.ListHeaders();
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = good && curl_easy_setopt(job.easy, option, value) == CURLE_OK;
  };
  set(CURLOPT_PRIVATE, static_cast<void*>(&job));
  set(CURLOPT_URL, options_.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_FRESH_CONNECT, 1L);
  set(CURLOPT_FORBID_REUSE, 1L);
  set(CURLOPT_NOPROXY, "");  // and do not ask the environment
  if (options_.route == PostRoute::kTunnel) {
    set(CURLOPT_PROXY, kProxy);
    set(CURLOPT_HTTPPROXYTUNNEL, 1L);
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  } else {
    set(CURLOPT_PROXY, "");
    set(CURLOPT_CONNECT_TO, &job.connect_to);
  }
  // The proxy gets none of our headers: one of them may be the client secret.
  set(CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
  set(CURLOPT_HTTPHEADER, job.headers.data());
  set(CURLOPT_POST, 1L);
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(job.request.body.size()));
  set(CURLOPT_POSTFIELDS, job.request.body.data());
  // Trust: TlsRoots and nothing else. Debian's libcurl has a default directory and file.
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_CAINFO, static_cast<char*>(nullptr));
  set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  set(CURLOPT_SSL_CTX_FUNCTION, &Job::Tls);
  set(CURLOPT_SSL_CTX_DATA, static_cast<void*>(&roots_));
  set(CURLOPT_SSL_SESSIONID_CACHE, 0L);
  set(CURLOPT_OPENSOCKETFUNCTION, &Job::Open);
  set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&job));
  set(CURLOPT_CLOSESOCKETFUNCTION, &Job::Close);
  set(CURLOPT_CLOSESOCKETDATA, static_cast<void*>(this));
  set(CURLOPT_PREREQFUNCTION, &Job::Connected);
  set(CURLOPT_PREREQDATA, static_cast<void*>(&job));
  set(CURLOPT_HEADERFUNCTION, &Job::Header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&job));
  set(CURLOPT_WRITEFUNCTION, &Job::Body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&job));
  return good;
}

void FormPoster::Finished(void* easy, int curl_code) {
  char* self = nullptr;
  (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self);
  Job& job = *reinterpret_cast<Job*>(self);
  job.running = false;
  const long status = job.Status();
  job.answer.status = status;
  const char* type = nullptr;
  (void)curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
  job.answer.content_type = type == nullptr ? "" : type;
  if (!job.connected && curl_code != CURLE_OK) {
    GoToNextAddress(job, ClassifyTransport(curl_code, Progress::kConnecting).error_class);
  } else if (curl_code == CURLE_OK || (status != 0 && status != kWanted)) {
    End(job, ErrorClass::kOk);  // of any other answer the status is all that counts
  } else if (job.answer.error_class == ErrorClass::kUndecodable ||
             job.header_bytes > kMaxHeaderBytes) {
    End(job, ErrorClass::kUndecodable);
  } else {
    End(job, ClassifyTransport(curl_code, Progress::kAnswering).error_class);
  }
}

void FormPoster::OnTimer(Job& job) {
  job.timer = 0;
  const bool over = BootNow() >= job.deadline;
  if (!over && job.connected) {
    job.timer = loop_.At(job.deadline, [this, &job] { OnTimer(job); });
    return;
  }
  StopAttempt(job);
  if (over) {
    End(job, ErrorClass::kTimeout);
  } else {
    GoToNextAddress(job, ErrorClass::kConnectionFailed);
  }
}

// Takes the attempt apart, wherever it is. The connection closes with the easy handle.
void FormPoster::StopAttempt(Job& job) {
  if (job.asking != 0) {
    connector_.CancelRequest(std::exchange(job.asking, 0));
  }
  if (std::exchange(job.running, false)) {
    multi_->Remove(job.easy);
  }
  if (job.easy != nullptr) {
    curl_easy_cleanup(std::exchange(job.easy, nullptr));
  }
  job.socket.fd.reset();
  job.descriptor = -1;
}

void FormPoster::GoToNextAddress(Job& job, ErrorClass failure) {
  StopAttempt(job);
  if (++job.attempt >= job.addresses) {
    End(job, failure);
    return;
  }
  ConnectAttempt(job);
}

void FormPoster::End(Job& job, ErrorClass error_class) {
  StopAttempt(job);
  loop_.Cancel(job.timer);
  const auto found = std::ranges::find(jobs_, &job, &std::unique_ptr<Job>::get);
  const std::unique_ptr<Job> ended = std::move(*found);
  jobs_.erase(found);
  FormAnswer answer = std::move(ended->answer);
  answer.error_class = error_class;
  ended->done(std::move(answer));
}

}  // namespace baokms::openbao
