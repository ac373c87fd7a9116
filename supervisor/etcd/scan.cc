#include "supervisor/etcd/scan.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/support/channel_arguments.h>

#include "proto/etcd_kv.grpc.pb.h"
#include "supervisor/etcd/connect.h"
#include "supervisor/etcd/tls_tunnel.h"

namespace baokms::supervisor {
namespace {

// For the lookup, for one connection attempt, for the handshake.
constexpr std::chrono::seconds kConnectLimit{5};

// For one page, of a server that is busy.
constexpr std::chrono::seconds kPageLimit{30};

// Objects per page, and bytes per answer. A page that does not fit is asked for again with fewer
// objects; a single one fits, since etcd takes no request above 1.5 MiB unless told otherwise.
constexpr std::int64_t kMostPerPage = 500;
constexpr int kMaxAnswerBytes = 16 * 1024 * 1024;

// The first key after all that begin with `prefix`; "\0" stands for the end of the key space.
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

std::string Describe(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return "the connection was lost, or no etcd answers there";
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

// Walks the keys, page by page, all of one revision.
class Walk final {
 public:
  Walk(UniqueFd socket, const std::string& prefix) : next_(prefix), end_(EndOf(prefix)) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
    stub_ = etcdserverpb::KV::NewStub(
        grpc::CreateCustomInsecureChannelFromFd("localhost", socket.release(), arguments));
  }

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
      if (const Status counted = Count(page); !counted.has_value()) {
        return std::string(counted.error().what());
      }
      if (!page.more()) {
        return std::move(scan_);
      }
      if (page.kvs().empty()) {
        return "etcd answered with an empty page";
      }
      per_page_ = std::min(per_page_ * 2, kMostPerPage);
    }
  }

 private:
  grpc::Status Read(etcdserverpb::RangeResponse& page) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPageLimit);
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
      BAOKMS_TRY(scan_.census.Add(pair.key(), pair.value()));
    }
    return {};
  }

  std::unique_ptr<etcdserverpb::KV::Stub> stub_;
  std::string next_;
  std::string end_;
  std::int64_t per_page_ = kMostPerPage;
  EtcdScan scan_;
};

}  // namespace

std::variant<EtcdReader, std::string> EtcdReader::Prepare(EtcdOptions options) {
  if (options.transport == EtcdOptions::Transport::kPlain) {
    return EtcdReader(std::move(options), std::nullopt);
  }
  auto client = TlsClient::Load(options);
  if (auto* problem = std::get_if<std::string>(&client)) {
    return std::move(*problem);
  }
  return EtcdReader(std::move(options), std::get<TlsClient>(std::move(client)));
}

std::variant<EtcdScan, std::string> EtcdReader::Scan() const {
  auto connected = ConnectTo(options_.host, options_.port, kConnectLimit);
  if (auto* problem = std::get_if<std::string>(&connected)) {
    return std::move(*problem);
  }
  UniqueFd socket = std::get<UniqueFd>(std::move(connected));
  if (!tls_.has_value()) {
    return Walk(std::move(socket), options_.prefix).Run();
  }
  auto tunnel = TlsTunnel::Open(*tls_, std::move(socket), options_.host,
                                std::chrono::steady_clock::now() + kConnectLimit);
  if (auto* problem = std::get_if<std::string>(&tunnel)) {
    return std::move(*problem);
  }
  TlsTunnel& open = *std::get<std::unique_ptr<TlsTunnel>>(tunnel);
  return Walk(open.TakePlainEnd(), options_.prefix).Run();
}

}  // namespace baokms::supervisor
