// An etcd that can be told to misbehave, with and without TLS.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include "proto/etcd_kv.grpc.pb.h"
#include "tests/openbao/test_pki.h"

namespace baokms::supervisor {

inline constexpr std::int64_t kRevision = 42;

// Far more than any scan of these tests needs; the test of one that asks without end has failed.
inline constexpr std::size_t kMostRequests = 200;

struct Behaviour {
  std::map<std::string, std::string> objects;
  grpc::Status status{};      // of every answer
  bool repeat_first = false;  // every page begins with the first key again
  bool empty_pages = false;   // there is more, but nothing is given
  std::function<void()> before_answer{};
};

class FakeEtcd final : public etcdserverpb::KV::Service {
 public:
  explicit FakeEtcd(Behaviour behaviour) : behaviour_(std::move(behaviour)) {}

  grpc::Status Range(grpc::ServerContext* /*context*/,
                     const etcdserverpb::RangeRequest* request,
                     etcdserverpb::RangeResponse* answer) override {
    revisions.push_back(request->revision());
    limits.push_back(request->limit());
    if (limits.size() > kMostRequests) {
      ADD_FAILURE() << "the scan goes round in circles: it asked for " << limits.size() << " pages";
      return {grpc::StatusCode::INTERNAL, "no more"};
    }
    if (behaviour_.before_answer) {
      behaviour_.before_answer();
    }
    answer->mutable_header()->set_revision(kRevision);
    auto at = behaviour_.repeat_first ? behaviour_.objects.begin()
                                      : behaviour_.objects.lower_bound(request->key());
    if (behaviour_.empty_pages) {
      answer->set_more(true);
      return behaviour_.status;
    }
    while (at != behaviour_.objects.end() && at->first < request->range_end()) {
      if (answer->kvs_size() == request->limit()) {
        answer->set_more(true);
        break;
      }
      etcdserverpb::KeyValue& pair = *answer->add_kvs();
      pair.set_key(at->first);
      pair.set_value(at->second);
      ++at;
    }
    return behaviour_.status;
  }

  std::vector<std::int64_t> revisions;
  std::vector<std::int64_t> limits;

 private:
  Behaviour behaviour_;
};

// Serves a FakeEtcd on a port of 127.0.0.1 for as long as it lives.
class FakeEtcdServer final {
 public:
  FakeEtcdServer(Behaviour behaviour, std::shared_ptr<grpc::ServerCredentials> credentials)
      : etcd_(std::move(behaviour)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", std::move(credentials), &port_);
    builder.SetMaxSendMessageSize(-1);
    builder.RegisterService(&etcd_);
    server_ = builder.BuildAndStart();
  }

  FakeEtcdServer(const FakeEtcdServer&) = delete;
  FakeEtcdServer& operator=(const FakeEtcdServer&) = delete;

  ~FakeEtcdServer() { server_->Shutdown(); }

  [[nodiscard]] std::uint16_t port() const { return static_cast<std::uint16_t>(port_); }

  [[nodiscard]] const FakeEtcd& etcd() const { return etcd_; }

 private:
  FakeEtcd etcd_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// A server certificate; with `client_ca` clients have to present one of that authority.
inline std::shared_ptr<grpc::ServerCredentials> TlsCredentials(
    const openbao::ServerIdentity& identity, const std::string& client_ca = "") {
  grpc::SslServerCredentialsOptions options(
      client_ca.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                        : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = client_ca;
  options.pem_key_cert_pairs.push_back({identity.key_pem, identity.certificate_pem});
  return grpc::SslServerCredentials(options);
}

inline Behaviour With(std::size_t count, std::size_t bytes) {
  Behaviour behaviour;
  for (std::size_t i = 0; i < count; ++i) {
    behaviour.objects["/registry/configmaps/default/" + std::to_string(i)] =
        std::string(bytes, 'x');
  }
  behaviour.objects["/other/key"] = "not under the prefix";
  behaviour.objects["/registry0"] = "the first key after the prefix";
  return behaviour;
}

}  // namespace baokms::supervisor
