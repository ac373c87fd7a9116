#include "common/openbao/transfer.h"

#include <array>
#include <charconv>

#include <curl/curl.h>

#include "common/openbao/exchange.h"
#include "common/openbao/http_limits.h"

namespace baokms::openbao {
namespace {

bool IsFinal(long status) {
  return status >= 200;
}

bool IsSuccess(long status) {
  return status >= 200 && status < 300;
}

// Returns the value of Retry-After in the response if it is a number of seconds.
std::optional<std::chrono::seconds> RetryAfter(CURL* handle) {
  curl_header* header = nullptr;
  if (curl_easy_header(handle, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK) {
    return std::nullopt;
  }
  const std::string_view text(header->value);
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return std::chrono::seconds(seconds);
}

}  // namespace

// The lists that libcurl reads while a request runs. libcurl does not copy them, so no copy of a
// token has to be wiped; the texts belong to the route and the request.
struct Transfer::HeaderList {
  std::array<curl_slist, kMaxRouteHeaders + 3> nodes{};  // no "Expect", a secret, a content type
  std::size_t used = 0;
  curl_slist connect_to{};
  std::string no_expect = "Expect:";

  void Add(char* text) {
    nodes[used] = {text, nullptr};
    if (used > 0) {
      nodes[used - 1].next = &nodes[used];
    }
    ++used;
  }

  void Clear() {
    nodes = {};
    used = 0;
    connect_to = {};
  }
};

// The callbacks that libcurl invokes.
struct Transfer::Callbacks {
  static std::size_t Header(char* data, std::size_t size, std::size_t count, void* self) {
    return static_cast<Transfer*>(self)->TakeHeader({data, size * count});
  }

  static std::size_t Body(char* data, std::size_t size, std::size_t count, void* self) {
    return static_cast<Transfer*>(self)->TakeBody({data, size * count});
  }

  static curl_socket_t Open(void* self, curlsocktype /*purpose*/, curl_sockaddr* /*address*/) {
    auto& transfer = *static_cast<Transfer*>(self);
    const int fd = transfer.host_.TakeSocket(transfer);
    transfer.lacked_socket_ = fd < 0;
    transfer.descriptor_ = fd;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
  }

  // Connections outlive the transfer that opened them, so this callback receives the host.
  static int Close(void* host, curl_socket_t fd) {
    static_cast<TransferHost*>(host)->CloseSocket(fd);
    return 0;
  }

  static int Connected(void* self, char* /*peer*/, char* /*local*/, int /*port*/, int /*port*/) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.progress_ = Progress::kSent;
    // A reused connection still stores its alerts in the transfer that opened it.
    WatchAlerts(transfer.tls_session(), transfer.tls_alert_);
    return transfer.host_.BeginRequest(transfer) == TransferHost::Decision::kGoOn
               ? CURL_PREREQFUNC_OK
               : CURL_PREREQFUNC_ABORT;
  }

  static CURLcode Tls(CURL* /*handle*/, void* ssl_ctx, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.roots_.InstallOn(ssl_ctx);
    WatchNewAlerts(ssl_ctx, transfer.tls_alert_);
    const TlsIdentity* identity = transfer.call_->what.identity.get();
    return identity == nullptr || identity->InstallOn(ssl_ctx) ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
  }
};

Result<std::unique_ptr<Transfer>> Transfer::Create(TransferHost& host, const TlsRoots& roots) {
  CURL* handle = curl_easy_init();
  if (handle == nullptr) {
    return Error(ErrorCode::kInternal, "curl_easy_init");
  }
  std::unique_ptr<Transfer> transfer(new Transfer(host, roots, handle));
  BAOKMS_TRY(transfer->SetFixedOptions());
  return transfer;
}

Transfer::Transfer(TransferHost& host, const TlsRoots& roots, void* handle)
    : host_(host), roots_(roots), handle_(handle), headers_(std::make_unique<HeaderList>()) {
}

Transfer::~Transfer() {
  curl_easy_cleanup(handle_);
}

Status Transfer::SetFixedOptions() {
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = good && curl_easy_setopt(handle_, option, value) == CURLE_OK;
  };
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
  set(CURLOPT_PROTOCOLS_STR, "https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NOPROXY, "");  // an explicit proxy or none: ignore the environment
  set(CURLOPT_HTTPPROXYTUNNEL, 1L);
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  // A proxy receives none of our headers, because one of them may be the client secret.
  set(CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_PATH_AS_IS, 1L);
  // The buffers are allocated for each request and, like all our memory, overwritten when they are
  // freed. The defaults (16 and 64 KiB) evict everything else from the CPU caches. Larger bodies
  // are transferred in several steps.
  set(CURLOPT_BUFFERSIZE, 4096L);
  set(CURLOPT_UPLOAD_BUFFERSIZE, 16384L);  // the smallest size that libcurl accepts
  set(CURLOPT_MAXAGE_CONN, kIdleConnectionSeconds);
  // Trust nothing but TlsRoots. Debian's libcurl has a default directory and file.
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_CAINFO, static_cast<char*>(nullptr));
  set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  set(CURLOPT_SSL_CTX_FUNCTION, &Callbacks::Tls);
  set(CURLOPT_SSL_CTX_DATA, static_cast<void*>(this));
  set(CURLOPT_SSL_SESSIONID_CACHE, 0L);  // every new connection presents its certificate
  set(CURLOPT_OPENSOCKETFUNCTION, &Callbacks::Open);
  set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  set(CURLOPT_CLOSESOCKETFUNCTION, &Callbacks::Close);
  set(CURLOPT_CLOSESOCKETDATA, static_cast<void*>(&host_));
  set(CURLOPT_PREREQFUNCTION, &Callbacks::Connected);
  set(CURLOPT_PREREQDATA, static_cast<void*>(this));
  set(CURLOPT_HEADERFUNCTION, &Callbacks::Header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, &Callbacks::Body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  if (!good) {
    return Error(ErrorCode::kInternal, "libcurl lacks an option");
  }
  return {};
}

bool Transfer::Prepare(PendingCall& call,
                       Route& route,
                       OutgoingRequest& request,
                       ConnectionMode mode) {
  Finish();
  call_ = &call;
  body_limit_ = request.body_limit;
  error_limit_ = request.error_limit;
  for (std::string& header : route.headers) {
    headers_->Add(header.data());
  }
  headers_->Add(headers_->no_expect.data());
  if (request.secret_header.size() > 0) {
    headers_->Add(request.secret_header.data());
  }
  const bool has_body = request.body.size() > 0;
  if (has_body) {
    headers_->Add(route.content_type.data());
  }
  headers_->connect_to = {route.connect_to.data(), nullptr};
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = good && curl_easy_setopt(handle_, option, value) == CURLE_OK;
  };
  set(CURLOPT_URL, (route.base_url + request.path).c_str());
  set(CURLOPT_PROXY, route.proxy.c_str());
  set(CURLOPT_CONNECT_TO, route.connect_to.empty() ? nullptr : &headers_->connect_to);
  set(CURLOPT_HTTPHEADER, headers_->nodes.data());
  set(CURLOPT_FRESH_CONNECT, mode == ConnectionMode::kPooled ? 0L : 1L);
  // Applies until a response begins: a failed connection is closed, and on closing it libcurl reads
  // the alert that the server sent before it disconnected.
  set(CURLOPT_FORBID_REUSE, 1L);
  is_kept_ = mode != ConnectionMode::kNewOnce;
  if (has_body) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(CURLOPT_POSTFIELDS, request.body.data());
  } else {
    set(CURLOPT_HTTPGET, 1L);
  }
  return good;
}

void Transfer::Finish() {
  call_ = nullptr;
  body_.Clear();
  over_limit_ = false;
  header_bytes_ = 0;
  progress_ = Progress::kConnecting;
  tls_alert_ = kNoTlsAlert;
  lacked_socket_ = false;
  descriptor_ = -1;
  headers_->Clear();
}

void Transfer::RetireConnection() {
  (void)curl_easy_setopt(handle_, CURLOPT_FORBID_REUSE, 1L);
}

long Transfer::status() const {
  long status = 0;
  (void)curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

HttpResponse Transfer::answer(bool complete) const {
  const char* type = nullptr;
  (void)curl_easy_getinfo(handle_, CURLINFO_CONTENT_TYPE, &type);
  return {.extent = complete      ? HttpResponse::Extent::kComplete
                    : over_limit_ ? HttpResponse::Extent::kOverLimit
                                  : HttpResponse::Extent::kCut,
          .status = status(),
          .content_type = type == nullptr ? "" : type,
          .body = body_.text(),
          .retry_after = RetryAfter(handle_)};
}

const void* Transfer::tls_session() const {
  curl_tlssessioninfo* info = nullptr;
  (void)curl_easy_getinfo(handle_, CURLINFO_TLS_SSL_PTR, &info);
  return info == nullptr ? nullptr : info->internals;
}

Transfer& Transfer::Of(void* handle) {
  char* self = nullptr;
  (void)curl_easy_getinfo(handle, CURLINFO_PRIVATE, &self);
  return *reinterpret_cast<Transfer*>(self);
}

std::size_t Transfer::TakeHeader(std::string_view line) {
  progress_ = Progress::kAnswering;
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) {
    over_limit_ = true;
    return 0;
  }
  const bool at_end = line == "\r\n" || line == "\n";
  if (at_end && IsFinal(status())) {
    (void)curl_easy_setopt(handle_, CURLOPT_FORBID_REUSE, is_kept_ ? 0L : 1L);
    host_.BeginAnswer(*this);
  }
  return line.size();
}

std::size_t Transfer::TakeBody(std::string_view piece) {
  const std::size_t limit = IsSuccess(status()) ? body_limit_ : error_limit_;
  if (piece.size() > limit - body_.size()) {
    over_limit_ = true;
    return 0;
  }
  body_.Append(piece);
  return piece.size();
}

}  // namespace baokms::openbao
