// Which clients of the KMS socket send more than can be served, and what they cost. gRPC 1.51
// processes whatever a client sends, and says nothing about it until a call is complete: a client
// that cancels each call at once (rapid reset), or never ends a header, occupies the only thread
// that serves all clients, and its memory. What a connection shows from outside is that data waits
// to be read while no call completes (docs/decisions/0017-floods-on-the-kms-socket.md).

#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "common/base/clock.h"

namespace baokms::supervisor {

// How often a connection is looked at, and how soon again while one may be flooding.
inline constexpr std::chrono::milliseconds kFloodLook{50};
inline constexpr std::chrono::milliseconds kFloodLookAgain{25};

// Bytes that wait to be read: as many as 50 calls of the usual size, and half of what a socket
// holds when a client writes them one by one.
inline constexpr std::size_t kFloodBytes = std::size_t{16} * 1024;

// By how many looks those that found such bytes, or a client that goes on sending though no answer
// fits into its socket, without a call completed since the look before, have to outnumber the
// others: for a connection that never completed a call, and for one that did. The latter may have
// many calls in progress that wait because of the former.
inline constexpr int kFloodLooks = 3;
inline constexpr int kFloodLooksAfterCalls = 40;

// The latter when memory is short: about a quarter of a second, in which one client takes 100 MB.
inline constexpr int kFloodLooksOfMemory = 8;

// Heap in use at which connections have to end: several times what the calls need that may be in
// progress by default, and a quarter of the unit's MemoryMax.
inline constexpr std::size_t kMaxHeap = std::size_t{64} * 1024 * 1024;

// By how many looks one counts that found such bytes and, besides, a socket full of answers: who
// reads none has no use for more. It also counts so much if no call has ever completed, because
// then the answers are to what only attackers send.
inline constexpr int kUnreadWeight = 10;

// Calls in progress on one connection that are a flood: a quarter more than a client may have
// (KmsServer::kMaxStreams), for those on their way when it learns that. A client that reads no
// answers has more and more of them, and each takes 100 KB if its headers fill a frame.
inline constexpr std::uint64_t kFloodCalls = 640;

// Calls in progress on one connection that are many when memory is short.
inline constexpr std::uint64_t kManyCalls = 64;

// Looks in succession, at least 250 ms, without a completed call that make a connection idle.
inline constexpr int kIdleLooks = 10;

// What one look finds.
struct ConnectionLook {
  std::size_t waiting = 0;      // bytes to be read, at most kFloodBytes
  bool unread = false;          // no further answer fits into the socket
  std::uint64_t completed = 0;  // calls so far
  std::uint64_t in_progress = 0;
};

// What is remembered about one connection between two looks.
class FloodSigns final {
 public:
  // Returns whether it may be flooding: look again soon.
  bool Look(const ConnectionLook& look);

  [[nodiscard]] bool Certain(bool memory_is_short = false) const {
    const int after_calls = memory_is_short ? kFloodLooksOfMemory : kFloodLooksAfterCalls;
    return too_many_ || score_ >= (completed_ == 0 ? kFloodLooks : after_calls);
  }

  // Returns whether no call has ever completed, unless the client has only just come.
  [[nodiscard]] bool Useless() const {
    return completed_ == 0 && (asks_much_ || idle_ >= kFloodLooks);
  }

  // Returns whether no call has completed lately, although many are asked for or because none is.
  // Who waits for a few calls is spared.
  [[nodiscard]] bool Idle() const { return idle_ >= kIdleLooks && (asks_much_ || !asks_); }

 private:
  std::uint64_t completed_ = 0;
  bool asks_ = false;       // calls in progress, or bytes that wait
  bool asks_much_ = false;  // many of them
  bool too_many_ = false;   // kFloodCalls
  int score_ = 0;
  int idle_ = 0;  // looks in succession
};

// How long new connections of a process that flooded wait before they are served. The first time is
// short, because the process may have other connections that are honest.
class FloodPenalties final {
 public:
  static constexpr BootTime kFirst = std::chrono::seconds(1);  // always, for a pid of 0
  static constexpr BootTime kMaxLength = std::chrono::seconds(8);
  static constexpr BootTime kForgotten = std::chrono::minutes(1);

  void Punish(uid_t uid, pid_t pid, BootTime now);

  // How long its connections still have to wait; 0 if it may be served.
  [[nodiscard]] BootTime Left(uid_t uid, pid_t pid, BootTime now) const;

 private:
  struct Penalty {
    BootTime length{};
    BootTime until{};
  };

  std::map<std::pair<uid_t, pid_t>, Penalty> penalties_;
};

// Watches the heap of this process, which clients can fill with calls that they never complete.
class HeapWatch final {
 public:
  // A client can take 20 MB meanwhile.
  static constexpr BootTime kInterval = kFloodLook;
  static constexpr int kPatience = 20;  // looks before those have to end that completed calls
  // Until gRPC has freed what belonged to a connection that ended.
  static constexpr BootTime kTrimAfter = std::chrono::seconds(1);

  enum class Verdict : std::uint8_t {
    kFine,
    kEndUseless,  // more than kMaxHeap is in use: end who never completed a call
    kEndIdle,     // and still is: end who is idle
  };

  // To be called more often than each kInterval, once in which it reads how much is in use. Gives
  // what was freed back to the kernel, kTrimAfter after TrimLater().
  Verdict Look(BootTime now);

  void TrimLater(BootTime now) { trim_at_ = now + kTrimAfter; }

  [[nodiscard]] bool WillTrim() const { return trim_at_ != BootTime::max(); }

 private:
  BootTime next_{};
  int exceeded_ = 0;  // looks in succession
  BootTime trim_at_ = BootTime::max();
};

}  // namespace baokms::supervisor
