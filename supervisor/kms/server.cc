#include "supervisor/kms/server.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>

#include <grpc/support/time.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_posix.h>

#include "common/base/error.h"
#include "common/contract/limits.h"
#include "supervisor/kms/rpc.h"
#include "supervisor/observe/metrics.h"

namespace baokms::supervisor {
namespace {

// Calls of one method that gRPC may deliver before the thread asks for more. Each delivered call is
// replaced, so enforcing a limit is up to the service and never to gRPC.
constexpr int kPosted = 16;

// Bytes of one connection that gRPC reads before it processes them: at most 100 small calls, which
// keep the calls of others waiting for a few milliseconds. A larger message takes several turns.
constexpr int kReadAtOnce = 16 * 1024;

// Bytes of a call's headers, counted as in RFC 9113, section 6.5.2: several times what
// kube-apiserver sends. gRPC needs a multiple of them for each call.
constexpr int kHeaders = 4 * 1024;

// Memory that gRPC may use for all connections together: far more than kMaxStreams calls of the
// usual size need, and far less than would harm the node.
constexpr std::size_t kMemoryQuota = std::size_t{64} * 1024 * 1024;

// gRPC cancels the calls that arrive between its shutdown and the client's reading of GOAWAY.
// Shutdown therefore waits for an idle moment, if one comes soon: kube-apiserver calls rarely.
constexpr std::chrono::milliseconds kQuiet{10};
constexpr std::chrono::milliseconds kQuietWithin{1000};

// Switches off features that cost memory or widen the attack surface: introspection, compression (a
// small message could expand to a huge one) and bandwidth probes. The service checks deadlines
// itself, because its status text for them is the documented one. grpc.minimal_stack stays off: it
// would disable the message size limits as well (verified with 1.51).
void Configure(grpc::ServerBuilder& builder) {
  constexpr int kMessage = static_cast<int>(contract::kMaxGrpcMessageBytes);
  builder.SetMaxReceiveMessageSize(kMessage);
  builder.SetMaxSendMessageSize(kMessage);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, KmsServer::kMaxStreams);
  builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kReadAtOnce);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kHeaders);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_DEADLINE_CHECKS, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0);
  grpc::ResourceQuota quota("kms");
  quota.Resize(kMemoryQuota);
  builder.SetResourceQuota(quota);
}

}  // namespace

struct KmsServer::Engine {
  Engine(EventLoop& on_loop, KmsService& for_service, std::function<void()> on_each_turn)
      : loop(on_loop), service(for_service), on_turn(std::move(on_each_turn)) {}

  void Post(KmsMethod method);
  void ServeQueue();
  void OnEvent(const Rpc::Tag& tag, bool ok);
  void OnArrival(Rpc* rpc);
  CallCountsPtr CountsOf(const Rpc& rpc);
  void Forget(Rpc* rpc);
  void AwaitQuiet(BootTime deadline);
  void Stop(BootTime deadline);

  EventLoop& loop;
  KmsService& service;
  std::function<void()> on_turn;
  RawKmsService raw;
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
  std::unique_ptr<grpc::Server> server;
  Rpc::Tag tasks_tag{nullptr, Rpc::Event::kTasks};
  std::unique_ptr<ServerTasks> tasks;
  std::unordered_map<Rpc*, std::unique_ptr<Rpc>> rpcs;  // only the queue's thread uses it
  std::thread queue_thread;
  std::thread stop_thread;
  bool adopting = true;  // only the loop's thread uses it
  std::atomic<bool> stopping{false};
  std::mutex adopted_mutex;
  // Guarded by adopted_mutex. By gRPC's descriptor: a new connection replaces an ended one.
  std::unordered_map<int, CallCountsPtr> adopted;
  std::mutex mutex;
  std::condition_variable changed;  // signals changes of `active` and `arrived`
  std::size_t active = 0;           // guarded by mutex; calls that arrived and are not over
  std::uint64_t arrived = 0;        // guarded by mutex; all calls so far
};

void KmsServer::Engine::Post(KmsMethod method) {
  auto rpc = std::make_unique<Rpc>(raw, *queue, *tasks, service, method);
  Rpc* const key = rpc.get();
  rpcs.emplace(key, std::move(rpc));
}

void KmsServer::Engine::ServeQueue() {
  tasks->ServedByThisThread();
  void* tag = nullptr;
  bool ok = false;
  for (;;) {
    const auto next = queue->AsyncNext(&tag, &ok, gpr_time_from_seconds(1, GPR_TIMESPAN));
    on_turn();
    if (next == grpc::CompletionQueue::SHUTDOWN) {
      return;
    }
    if (next == grpc::CompletionQueue::GOT_EVENT) {
      OnEvent(*static_cast<const Rpc::Tag*>(tag), ok);
    }
  }
}

void KmsServer::Engine::OnEvent(const Rpc::Tag& tag, bool ok) {
  if (tag.event == Rpc::Event::kTasks) {
    for (const ServerTasks::Task& task : tasks->TakeAll()) {
      task();
    }
    return;
  }
  Rpc* const rpc = tag.rpc;
  if (tag.event != Rpc::Event::kArrived) {
    if (rpc->Note(tag.event, ok) == Rpc::State::kOver) {
      Forget(rpc);
    }
    return;
  }
  if (ok) {
    OnArrival(rpc);
  } else {
    rpcs.erase(rpc);  // the server is stopping; no client called
  }
}

void KmsServer::Engine::OnArrival(Rpc* rpc) {
  {
    const std::lock_guard lock(mutex);
    ++active;
    ++arrived;
    changed.notify_all();
  }
  const KmsMethod method = rpc->method();
  rpc->Handle(CountsOf(*rpc));
  if (!stopping) {
    Post(method);
  }
}

// gRPC names a connection that it was given as a descriptor "fd:<number>"; that is all it says
// about a call's connection.
CallCountsPtr KmsServer::Engine::CountsOf(const Rpc& rpc) {
  constexpr std::string_view kPrefix = "fd:";
  const std::string peer = rpc.Connection();
  int fd = -1;
  if (peer.starts_with(kPrefix)) {
    (void)std::from_chars(peer.data() + kPrefix.size(), peer.data() + peer.size(), fd);
  }
  const std::lock_guard lock(adopted_mutex);
  const auto found = adopted.find(fd);
  return found == adopted.end() ? nullptr : found->second;
}

void KmsServer::Engine::Forget(Rpc* rpc) {
  rpcs.erase(rpc);
  const std::lock_guard lock(mutex);
  --active;
  if (active == 0) {
    changed.notify_all();
  }
}

void KmsServer::Engine::AwaitQuiet(BootTime deadline) {
  const BootTime until = std::min(deadline, BootNow() + BootTime(kQuietWithin));
  std::unique_lock lock(mutex);
  while (BootNow() < until) {
    const std::uint64_t before = arrived;
    if (active != 0) {
      changed.wait_for(lock, until - BootNow(), [this] { return active == 0; });
    } else if (!changed.wait_for(lock, kQuiet, [&] { return arrived != before; })) {
      return;
    }
  }
}

// Blocks. The queue may be shut down only once no thread can still add a task.
void KmsServer::Engine::Stop(BootTime deadline) {
  AwaitQuiet(deadline);
  stopping = true;
  server->Shutdown(
      std::chrono::system_clock::now() +
      std::chrono::duration_cast<std::chrono::system_clock::duration>(deadline - BootNow()));
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return active == 0; });
  }
  queue->Shutdown();
  queue_thread.join();
}

KmsServer::KmsServer(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {
}

Result<std::unique_ptr<KmsServer>> KmsServer::Start(EventLoop& loop,
                                                    KmsService& service,
                                                    std::function<void()> on_turn) {
  auto engine = std::make_unique<Engine>(loop, service, std::move(on_turn));
  grpc::ServerBuilder builder;
  Configure(builder);
  builder.RegisterService(&engine->raw);
  engine->queue = builder.AddCompletionQueue();
  engine->tasks = std::make_unique<ServerTasks>(*engine->queue, &engine->tasks_tag);
  engine->server = builder.BuildAndStart();
  if (engine->server == nullptr) {
    engine->queue->Shutdown();
    return Error(ErrorCode::kInternal, "the gRPC server does not start");
  }
  for (int i = 0; i < kPosted; ++i) {
    engine->Post(KmsMethod::kStatus);
    engine->Post(KmsMethod::kEncrypt);
    engine->Post(KmsMethod::kDecrypt);
  }
  engine->queue_thread = std::thread([raw = engine.get()] { raw->ServeQueue(); });
  return std::unique_ptr<KmsServer>(new KmsServer(std::move(engine)));
}

KmsServer::~KmsServer() {
  if (engine_->stop_thread.joinable()) {
    engine_->stop_thread.join();
  } else {
    engine_->Stop(BootNow());
  }
}

std::shared_ptr<const CallCounts> KmsServer::Adopt(UniqueFd connection) {
  if (!engine_->adopting) {
    return nullptr;
  }
  auto counts = std::make_shared<CallCounts>();
  {
    const std::lock_guard lock(engine_->adopted_mutex);
    engine_->adopted[connection.get()] = counts;
  }
  engine_->tasks->Add(
      [engine = engine_.get(), shared = std::make_shared<UniqueFd>(std::move(connection))] {
        grpc::AddInsecureChannelFromFd(engine->server.get(), shared->release());
      });
  return counts;
}

void KmsServer::Shutdown(BootTime deadline, std::function<void()> done) {
  engine_->adopting = false;
  engine_->stop_thread = std::thread([engine = engine_.get(), deadline, done = std::move(done)] {
    engine->Stop(deadline);
    engine->loop.Post(done);
  });
}

}  // namespace baokms::supervisor
