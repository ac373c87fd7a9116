// A small DNS server for tests (RFC 1035): UDP or TCP, port 53 of an address of the loopback
// network.

#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/unique_fd.h"

namespace baokms::supervisor {

// What the server knows of one name.
struct NameRecords {
  std::vector<std::string> addresses{};  // IPv4 and IPv6 as text
  std::string alias{};                   // CNAME; its target's addresses are added to the answer
  bool fails = false;                    // SERVFAIL for every query
  bool fails_for_ipv6 = false;           // SERVFAIL for AAAA
};

// Names in lower case with their final dot. Any other name does not exist.
using NameZone = std::map<std::string, NameRecords>;

class NameServer final {
 public:
  // Serves `zone` on port 53 of `address` until it is destroyed. kSilent: receives and never
  // answers. kTcp: answers over TCP and not over UDP, one connection at a time.
  enum class Manner : std::uint8_t { kAnswers, kSilent, kTcp };
  NameServer(const std::string& address, NameZone zone, Manner manner = Manner::kAnswers);
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;
  ~NameServer();

 private:
  void Serve();
  void ServeTcp();
  [[nodiscard]] std::string Answer(std::string_view query) const;

  NameZone zone_;
  UniqueFd socket_;
  Manner manner_;
  std::thread thread_;
};

}  // namespace baokms::supervisor
