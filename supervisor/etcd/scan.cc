#include "supervisor/etcd/scan.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "common/base/event_loop.h"
#include "proto/etcd_kv.grpc.pb.h"
#include "supervisor/broker/resolver.h"

namespace baokms::supervisor {
namespace {

using std::chrono::system_clock;
using Channel = std::shared_ptr<grpc::Channel>;

// Time limit for the name lookup, and for the connection to one address with its TLS handshake.
constexpr std::chrono::seconds kConnectTimeout{5};

// Time limit for one page, for a server that is busy.
constexpr std::chrono::seconds kPageTimeout{30};

// Maximum number of objects per page and of bytes per answer. A page that does not fit is requested
// again with fewer objects; a single object fits, because etcd accepts no request above 1.5 MiB by
// default.
constexpr std::int64_t kMaxPerPage = 500;
constexpr int kMaxAnswerBytes = 16 * 1024 * 1024;

// Returns the first key after all that begin with `prefix`; "\0" stands for the end of the key
// space.
std::string EndOf(std::string prefix) {
  while (!prefix.empty()) {
    auto& last = prefix.back();
    if (static_cast<unsigned char>(last) != 0xffU) {
      last = static_cast<char>(static_cast<unsigned char>(last) + 1);
      return prefix;
    }
    prefix.pop_back();
  }
  return std::string(1, '\0');
}

constexpr std::string_view kNoConnection = "no connection in time";
constexpr std::string_view kConnectionLost = "the connection was lost, or no etcd answers there";
constexpr std::string_view kHandshakeFailed = "the TLS handshake failed";

std::string Describe(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return std::string(kConnectionLost);
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return "no answer in time";
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
      return "access denied: the client certificate may not read these keys";
    case grpc::StatusCode::OUT_OF_RANGE:
      return "the revision was compacted during the scan; try again";
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return "an object is larger than any that etcd takes by default";
    default:
      return "refused with gRPC code " + std::to_string(static_cast<int>(status.error_code()));
  }
}

// Returns "ipv4:192.0.2.1:2379" or "ipv6:%5B2001:db8::1%5D:2379" (gRPC's naming.md).
std::string GrpcAddress(const SocketAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* raw = &address.storage;
  if (address.storage.ss_family == AF_INET) {
    const auto& v4 = *static_cast<const sockaddr_in*>(raw);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return std::string("ipv4:").append(text.data()) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  const auto& v6 = *static_cast<const sockaddr_in6*>(raw);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  return std::string("ipv6:%5B").append(text.data()) + "%5D:" + std::to_string(ntohs(v6.sin6_port));
}

// Returns the addresses of the host, in the form that gRPC reads.
std::vector<std::string> LookUp(const EtcdTarget& target) {
  std::vector<std::string> found;
  auto loop = EventLoop::Create();
  if (!loop) {
    return found;
  }
  auto resolver = Resolver::Create(**loop);
  if (!resolver) {
    return found;
  }
  (*resolver)->Resolve(target.host, target.port, kConnectTimeout,
                       [&](const std::vector<SocketAddress>& addresses) {
                         for (const SocketAddress& address : addresses) {
                           found.push_back(GrpcAddress(address));
                         }
                         (*loop)->Stop();
                       });
  // If the loop fails no address is found, which the caller reports.
  (void)(*loop)->Run().has_value();
  return found;
}

std::shared_ptr<grpc::ChannelCredentials> Credentials(const EtcdTarget& target,
                                                      const std::string& ca_pem) {
  if (!target.credentials) {
    return grpc::InsecureChannelCredentials();
  }
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = ca_pem;
  options.pem_cert_chain = target.credentials->certificate_pem;
  options.pem_private_key = target.credentials->key_pem;
  return grpc::SslCredentials(options);
}

Channel MakeChannel(const EtcdTarget& target,
                    const std::string& address,
                    const std::string& ca_pem) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (target.credentials) {
    // The name or address that the certificate must be valid for; `address` is one of its
    // addresses.
    arguments.SetSslTargetNameOverride(target.host);
  }
  return grpc::CreateCustomChannel(address, Credentials(target, ca_pem), arguments);
}

// Translates gRPC's text about a failed connection into one of this program's own.
std::string DescribeConnection(const std::string& text) {
  const auto has = [&text](std::string_view part) {
    return text.find(part) != std::string::npos;
  };
  const std::string failed(kHandshakeFailed);
  if (has("not in peer certificate")) {
    return failed + ": the server's certificate is for another name or address";
  }
  if (has("certificate verify failed")) {
    return failed + ": the server's certificate is expired or not from --cacert";
  }
  if (has("andshake")) {
    return failed;
  }
  return has("Connection refused") ? "no connection: Connection refused"
                                   : std::string(kConnectionLost);
}

// Returns an empty text if the channel is connected.
std::string Connect(const Channel& channel) {
  const auto deadline = system_clock::now() + kConnectTimeout;
  grpc_connectivity_state state = channel->GetState(true);
  while (state == GRPC_CHANNEL_IDLE || state == GRPC_CHANNEL_CONNECTING) {
    if (!channel->WaitForStateChange(state, deadline)) {
      return std::string(kNoConnection);
    }
    state = channel->GetState(true);
  }
  if (state == GRPC_CHANNEL_READY) {
    return "";
  }
  // gRPC reports the reason only to a call.
  grpc::ClientContext context;
  context.set_deadline(deadline);
  etcdserverpb::RangeResponse unused;
  const grpc::Status status =
      etcdserverpb::KV::NewStub(channel)->Range(&context, etcdserverpb::RangeRequest(), &unused);
  return DescribeConnection(status.error_message());
}

// Reads the keys page by page, all at one revision.
class RangeWalk final {
 public:
  RangeWalk(const Channel& channel, const std::string& prefix)
      : stub_(etcdserverpb::KV::NewStub(channel)), next_(prefix), end_(EndOf(prefix)) {}

  std::variant<EtcdScan, std::string> Run() {
    for (;;) {
      etcdserverpb::RangeResponse page;
      const grpc::Status status = Read(page);
      if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED && per_page_ > 1) {
        per_page_ /= 2;
        continue;
      }
      if (!status.ok()) {
        return Describe(status);
      }
      if (const Status counted = Count(page); !counted) {
        return std::string(counted.error().what());
      }
      if (!page.more()) {
        return std::move(scan_);
      }
      if (page.kvs().empty()) {
        return "etcd answered with an empty page";
      }
      per_page_ = std::min(per_page_ * 2, kMaxPerPage);
    }
  }

 private:
  grpc::Status Read(etcdserverpb::RangeResponse& page) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPageTimeout);
    etcdserverpb::RangeRequest request;
    request.set_key(next_);
    request.set_range_end(end_);
    request.set_limit(per_page_);
    request.set_revision(scan_.revision);
    return stub_->Range(&context, request, &page);
  }

  Status Count(const etcdserverpb::RangeResponse& page) {
    if (scan_.revision == 0) {
      scan_.revision = page.header().revision();
    }
    for (const etcdserverpb::KeyValue& pair : page.kvs()) {
      if (pair.key() < next_) {
        return Error(ErrorCode::kProtocolViolation, "etcd answered with keys out of order");
      }
      next_ = pair.key() + '\0';
      BAOKMS_TRY(scan_.inventory.Add(pair.key(), pair.value()));
    }
    return {};
  }

  std::unique_ptr<etcdserverpb::KV::Stub> stub_;
  std::string next_;
  std::string end_;
  std::int64_t per_page_ = kMaxPerPage;
  EtcdScan scan_;
};

// Scans through one address of the host.
std::variant<EtcdScan, std::string> ScanAddress(const EtcdTarget& target,
                                                const std::string& address) {
  const auto bundles =
      target.credentials ? SplitByName(target.credentials->ca_pem) : std::vector<std::string>{""};
  std::string failure(kHandshakeFailed);
  for (const std::string& bundle : bundles) {
    const Channel channel = MakeChannel(target, address, bundle);
    failure = Connect(channel);
    if (failure.empty()) {
      return RangeWalk(channel, target.prefix).Run();
    }
    if (!failure.starts_with(kHandshakeFailed)) {
      break;
    }
  }
  return failure;
}

// With TLS 1.3, a server may close the connection because of a missing client certificate only
// after the client considers it established.
bool MayLackCertificate(const EtcdTarget& target, const std::string& failure) {
  return target.credentials && target.credentials->certificate_pem.empty() &&
         (failure == kConnectionLost || failure == kNoConnection);
}

}  // namespace

std::variant<EtcdScan, std::string> ScanEtcd(const EtcdTarget& target) {
  std::string failure = "the name of the host was not found";
  for (const std::string& address : LookUp(target)) {
    auto result = ScanAddress(target, address);
    if (std::holds_alternative<EtcdScan>(result)) {
      return result;
    }
    failure = std::get<std::string>(std::move(result));
  }
  if (MayLackCertificate(target, failure)) {
    failure.append("; etcd may require --cert and --key");
  }
  return failure;
}

}  // namespace baokms::supervisor
