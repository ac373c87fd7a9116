#include "tests/openbao/hostile_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <utility>

#include <openssl/pem.h>
#include <openssl/ssl.h>

namespace baokms::openbao {
namespace {

void Check(bool good) {
  if (!good) {
    std::abort();
  }
}

std::shared_ptr<void> MakeContext(const ServerIdentity& identity) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  Check(context != nullptr);
  BIO* certificate_bio = BIO_new_mem_buf(identity.certificate_pem.data(), -1);
  X509* certificate = PEM_read_bio_X509(certificate_bio, nullptr, nullptr, nullptr);
  BIO* key_bio = BIO_new_mem_buf(identity.key_pem.data(), -1);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(key_bio, nullptr, nullptr, nullptr);
  Check(SSL_CTX_use_certificate(context, certificate) == 1);
  Check(SSL_CTX_use_PrivateKey(context, key) == 1);
  X509_free(certificate);
  EVP_PKEY_free(key);
  BIO_free(certificate_bio);
  BIO_free(key_bio);
  return {context, [](void* owned) {
            SSL_CTX_free(static_cast<SSL_CTX*>(owned));
          }};
}

void ResetOnClose(int fd) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  (void)::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

// Keeps SIGPIPE from this thread and those it starts: OpenSSL writes to sockets with write(2). The
// client's thread keeps it, and must not need to.
void BlockSigpipe() {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  Check(::pthread_sigmask(SIG_BLOCK, &pipe, nullptr) == 0);
}

std::size_t ContentLength(const std::string& head) {
  const std::size_t begin = head.find("Content-Length: ");
  return begin == std::string::npos ? 0 : std::strtoul(head.c_str() + begin + 16, nullptr, 10);
}

}  // namespace

Session::Session(UniqueFd fd, void* ssl, int number)
    : fd_(std::move(fd)), ssl_(ssl), number_(number) {
}

Session::~Session() {
  auto* ssl = static_cast<SSL*>(ssl_);
  (void)SSL_shutdown(ssl);
  SSL_free(ssl);
}

std::optional<ReceivedRequest> Session::Read() {
  std::size_t head_end = std::string::npos;
  std::size_t needed = 1;
  while (unread_.size() < needed) {
    std::array<char, 16384> piece{};
    const int count = SSL_read(static_cast<SSL*>(ssl_), piece.data(), piece.size());
    if (count <= 0) {
      return std::nullopt;
    }
    unread_.append(piece.data(), static_cast<std::size_t>(count));
    head_end = unread_.find("\r\n\r\n");
    needed = head_end == std::string::npos
                 ? unread_.size() + 1
                 : head_end + 4 + ContentLength(unread_.substr(0, head_end));
  }
  ReceivedRequest request{.head = unread_.substr(0, head_end + 2),
                          .body = unread_.substr(head_end + 4, needed - head_end - 4)};
  unread_.erase(0, needed);
  return request;
}

void Session::Write(std::string_view text) {
  while (!text.empty()) {
    const int count =
        SSL_write(static_cast<SSL*>(ssl_), text.data(),
                  static_cast<int>(std::min<std::size_t>(text.size(), std::size_t{1} << 20)));
    if (count <= 0) {
      return;  // the client had enough
    }
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

void Session::Reset() {
  SSL_set_quiet_shutdown(static_cast<SSL*>(ssl_), 1);
  ResetOnClose(fd_.get());
}

std::string Session::ServerName() const {
  const char* name = SSL_get_servername(static_cast<SSL*>(ssl_), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

bool Session::WasResumed() const {
  return SSL_session_reused(static_cast<SSL*>(ssl_)) == 1;
}

HostileServer::HostileServer(const ServerIdentity& identity, Script script)
    : script_(std::move(script)), context_(MakeContext(identity)) {
  listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  Check(::bind(listener_.get(), generic, size) == 0);
  Check(::listen(listener_.get(), 128) == 0);
  Check(::getsockname(listener_.get(), generic, &size) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { AcceptAll(); });
}

HostileServer::~HostileServer() {
  (void)::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) {
      (void)::shutdown(fd, SHUT_RDWR);
    }
  }
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

void HostileServer::RequireClientCertificate() {
  SSL_CTX_set_verify(static_cast<SSL_CTX*>(context_.get()),
                     SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

void HostileServer::LimitToTls12() {
  Check(SSL_CTX_set_max_proto_version(static_cast<SSL_CTX*>(context_.get()), TLS1_2_VERSION) == 1);
}

void HostileServer::AcceptAll() {
  BlockSigpipe();
  for (;;) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd.valid()) {
      return;
    }
    ++accepted_;
    const std::lock_guard lock(mutex_);
    open_.push_back(fd.get());
    threads_.emplace_back([this, raw = fd.release()] { Serve(UniqueFd(raw)); });
  }
}

void HostileServer::Serve(UniqueFd fd) {
  const int number = fd.get();
  if (greeting_ == Greeting::kReset) {
    ResetOnClose(number);
  } else if (greeting_ == Greeting::kSilence) {
    std::array<char, 4096> scrap{};
    while (::recv(number, scrap.data(), scrap.size(), 0) > 0) {
    }
  } else {
    SSL* ssl = SSL_new(static_cast<SSL_CTX*>(context_.get()));
    SSL_set_fd(ssl, number);
    if (SSL_accept(ssl) == 1) {
      const std::lock_guard lock(mutex_);
      most_at_once_ = std::max<int>(most_at_once_, ++at_once_);
    } else {
      SSL_free(ssl);
      ssl = nullptr;
    }
    if (ssl != nullptr) {
      Run(std::move(fd), ssl);
    }
  }
  const std::lock_guard lock(mutex_);
  std::erase(open_, number);
}

void HostileServer::Run(UniqueFd fd, void* ssl) {
  Session session(std::move(fd), ssl, handshakes_++);
  script_(session);
  --at_once_;
}

std::string HttpAnswer(std::string_view status, std::string_view body) {
  return HttpAnswer(status, body, "Content-Type: application/json");
}

std::string HttpAnswer(std::string_view status, std::string_view body, std::string_view header) {
  std::string answer = "HTTP/1.1 ";
  answer.append(status).append("\r\nContent-Length: ").append(std::to_string(body.size()));
  answer.append("\r\n").append(header).append("\r\n\r\n").append(body);
  return answer;
}

Script AlwaysAnswer(std::string answer) {
  return [answer = std::move(answer)](Session& session) {
    while (session.Read()) {
      session.Write(answer);
    }
  };
}

}  // namespace baokms::openbao
