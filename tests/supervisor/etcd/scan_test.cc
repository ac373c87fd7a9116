// The scan against an etcd that can be told to misbehave, over loopback without TLS.

#include "supervisor/etcd/scan.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include "proto/etcd_kv.grpc.pb.h"

namespace baokms::supervisor {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kRevision = 42;

struct Behaviour {
  std::map<std::string, std::string> objects;
  grpc::Status status{};      // of every answer
  bool repeat_first = false;  // every page begins with the first key again
  bool empty_pages = false;   // there is more, but nothing is given
};

class FakeEtcd final : public etcdserverpb::KV::Service {
 public:
  explicit FakeEtcd(Behaviour behaviour) : behaviour_(std::move(behaviour)) {}

  grpc::Status Range(grpc::ServerContext* /*context*/,
                     const etcdserverpb::RangeRequest* request,
                     etcdserverpb::RangeResponse* answer) override {
    revisions.push_back(request->revision());
    limits.push_back(request->limit());
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

// A server for one scan, and what the scan came to.
struct Scanned {
  explicit Scanned(Behaviour behaviour) : etcd(std::move(behaviour)) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.SetMaxSendMessageSize(-1);
    builder.RegisterService(&etcd);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    EtcdOptions options;
    options.host = "127.0.0.1";
    options.port = static_cast<std::uint16_t>(port);
    options.transport = EtcdOptions::Transport::kPlain;
    auto reader = EtcdReader::Prepare(options);
    result = std::get<EtcdReader>(reader).Scan();
    server->Shutdown();
  }

  [[nodiscard]] std::string Failure() const {
    const auto* problem = std::get_if<std::string>(&result);
    return problem == nullptr ? "" : *problem;
  }

  [[nodiscard]] std::uint64_t Objects() const {
    std::uint64_t count = 0;
    for (const auto& [stored, objects] : std::get<EtcdScan>(result).census.groups()) {
      count += objects;
    }
    return count;
  }

  FakeEtcd etcd;
  std::variant<EtcdScan, std::string> result;
};

Behaviour With(std::size_t count, std::size_t bytes) {
  Behaviour behaviour;
  for (std::size_t i = 0; i < count; ++i) {
    behaviour.objects["/registry/configmaps/default/" + std::to_string(i)] =
        std::string(bytes, 'x');
  }
  behaviour.objects["/other/key"] = "not under the prefix";
  behaviour.objects["/registry0"] = "the first key after the prefix";
  return behaviour;
}

TEST(EtcdScanTest, CountsEveryObjectOnceAndReadsOneRevision) {
  const Scanned scanned(With(1234, 10));
  ASSERT_EQ(scanned.Failure(), "");
  EXPECT_EQ(scanned.Objects(), 1234U);
  EXPECT_EQ(std::get<EtcdScan>(scanned.result).revision, kRevision);
  ASSERT_EQ(scanned.etcd.revisions.size(), 3U);
  EXPECT_EQ(scanned.etcd.revisions[0], 0);
  EXPECT_EQ(scanned.etcd.revisions[1], kRevision);
  EXPECT_EQ(scanned.etcd.revisions[2], kRevision);
}

TEST(EtcdScanTest, AsksForFewerObjectsWhenAPageIsTooLarge) {
  const Scanned scanned(With(60, 1'400'000));
  ASSERT_EQ(scanned.Failure(), "");
  EXPECT_EQ(scanned.Objects(), 60U);
  EXPECT_LT(*std::min_element(scanned.etcd.limits.begin(), scanned.etcd.limits.end()), 16);
}

TEST(EtcdScanTest, FindsNothingInAnEmptyEtcd) {
  const Scanned scanned((Behaviour()));
  ASSERT_EQ(scanned.Failure(), "");
  EXPECT_EQ(scanned.Objects(), 0U);
}

TEST(EtcdScanTest, RefusesAnObjectThatNoEtcdTakes) {
  EXPECT_THAT(Scanned(With(1, 17 * 1024 * 1024)).Failure(), HasSubstr("larger than any"));
}

TEST(EtcdScanTest, DoesNotGoRoundInCircles) {
  Behaviour circle = With(600, 10);
  circle.objects.erase("/other/key");
  circle.repeat_first = true;
  EXPECT_THAT(Scanned(circle).Failure(), HasSubstr("out of order"));
  Behaviour empty;
  empty.empty_pages = true;
  EXPECT_NE(Scanned(empty).Failure(), "");
}

TEST(EtcdScanTest, SaysWhatWentWrongInItsOwnWords) {
  for (const auto& [code, words] : std::map<grpc::StatusCode, std::string>{
           {grpc::StatusCode::PERMISSION_DENIED, "access denied"},
           {grpc::StatusCode::OUT_OF_RANGE, "compacted"},
           {grpc::StatusCode::UNAVAILABLE, "lost"},
           {grpc::StatusCode::INTERNAL, "gRPC code 13"}}) {
    Behaviour behaviour = With(1, 10);
    behaviour.status = grpc::Status(code, "a secret text of the server");
    const std::string failure = Scanned(behaviour).Failure();
    EXPECT_THAT(failure, HasSubstr(words));
    EXPECT_THAT(failure, Not(HasSubstr("secret text")));
  }
}

}  // namespace
}  // namespace baokms::supervisor
