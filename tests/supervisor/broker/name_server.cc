#include "tests/supervisor/broker/name_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cctype>
#include <cstddef>
#include <utility>

#include <gtest/gtest.h>

namespace baokms::supervisor {
namespace {

constexpr std::uint16_t kA = 1;
constexpr std::uint16_t kCname = 5;
constexpr std::uint16_t kAaaa = 28;
constexpr std::size_t kHeaderSize = 12;

void Put16(std::string& text, unsigned value) {
  text += static_cast<char>(value >> 8);
  text += static_cast<char>(value & 0xff);
}

std::string Encoded(std::string_view name) {
  std::string wire;
  while (!name.empty() && name != ".") {
    const std::string_view label = name.substr(0, name.find('.'));
    wire += static_cast<char>(label.size());
    wire += label;
    name.remove_prefix(label.size() + 1);
  }
  wire += '\0';
  return wire;
}

void PutRecord(std::string& text,
               std::string_view owner,
               std::uint16_t type,
               std::string_view data) {
  text += Encoded(owner);
  Put16(text, type);
  Put16(text, 1);  // IN
  Put16(text, 0);
  Put16(text, 60);  // TTL
  Put16(text, static_cast<unsigned>(data.size()));
  text += data;
}

unsigned PutAddresses(std::string& text,
                      std::string_view owner,
                      const NameRecords& records,
                      std::uint16_t type) {
  unsigned count = 0;
  for (const std::string& address : records.addresses) {
    std::array<char, 16> bytes{};
    const bool ipv6 = address.find(':') != std::string::npos;
    if (ipv6 == (type == kAaaa) && (type == kA || type == kAaaa) &&
        ::inet_pton(ipv6 ? AF_INET6 : AF_INET, address.c_str(), bytes.data()) == 1) {
      PutRecord(text, owner, type, {bytes.data(), ipv6 ? 16U : 4U});
      ++count;
    }
  }
  return count;
}

}  // namespace

NameServer::NameServer(const std::string& address, NameZone zone, Manner manner)
    : zone_(std::move(zone)),
      socket_(
          ::socket(AF_INET, (manner == Manner::kTcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0)),
      manner_(manner) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(53);
  EXPECT_EQ(::inet_pton(AF_INET, address.c_str(), &where.sin_addr), 1);
  EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where), 0);
  if (manner == Manner::kTcp) {
    EXPECT_EQ(::listen(socket_.get(), 16), 0);
    thread_ = std::thread([this] { ServeTcp(); });
  } else {
    thread_ = std::thread([this] { Serve(); });
  }
}

NameServer::~NameServer() {
  ::shutdown(socket_.get(), SHUT_RDWR);  // wakes recvfrom(2), with an empty datagram, and accept(2)
  thread_.join();
}

void NameServer::Serve() {
  std::array<char, 512> query{};
  for (;;) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const ssize_t count = ::recvfrom(socket_.get(), query.data(), query.size(), 0,
                                     reinterpret_cast<sockaddr*>(&from), &size);
    if (count <= 0) {
      return;
    }
    if (manner_ == Manner::kAnswers && static_cast<std::size_t>(count) > kHeaderSize) {
      const std::string answer = Answer({query.data(), static_cast<std::size_t>(count)});
      (void)::sendto(socket_.get(), answer.data(), answer.size(), 0,
                     reinterpret_cast<const sockaddr*>(&from), size);
    }
  }
}

// Each message follows its length in two bytes (RFC 1035, section 4.2.2).
void NameServer::ServeTcp() {
  for (;;) {
    const UniqueFd peer(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer.valid()) {
      return;
    }
    std::array<unsigned char, 2> size{};
    std::array<char, 512> query{};
    while (::recv(peer.get(), size.data(), size.size(), MSG_WAITALL) == 2) {
      const std::size_t count = std::size_t{size[0]} << 8 | size[1];
      if (count <= kHeaderSize || count > query.size() ||
          ::recv(peer.get(), query.data(), count, MSG_WAITALL) != static_cast<ssize_t>(count)) {
        break;
      }
      const std::string answer = Answer({query.data(), count});
      std::string framed;
      Put16(framed, static_cast<unsigned>(answer.size()));
      framed += answer;
      (void)::send(peer.get(), framed.data(), framed.size(), MSG_NOSIGNAL);
    }
  }
}

std::string NameServer::Answer(std::string_view query) const {
  std::string name;
  std::size_t at = kHeaderSize;
  while (at < query.size() && query[at] != 0) {
    const auto length = static_cast<std::size_t>(static_cast<unsigned char>(query[at]));
    for (const char c : query.substr(at + 1, length)) {
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    name += '.';
    at += length + 1;
  }
  const auto type = static_cast<std::uint16_t>(static_cast<unsigned char>(query[at + 1]) << 8 |
                                               static_cast<unsigned char>(query[at + 2]));
  std::string records;
  unsigned count = 0;
  unsigned code = 3;  // NXDOMAIN
  if (const auto found = zone_.find(name); found != zone_.end()) {
    const NameRecords& known = found->second;
    code = known.fails || (known.fails_for_ipv6 && type == kAaaa) ? 2U : 0U;  // SERVFAIL
    std::string owner = name;
    if (!known.alias.empty()) {
      PutRecord(records, name, kCname, Encoded(known.alias));
      owner = known.alias;
      ++count;
    }
    if (code == 0) {
      count += PutAddresses(records, owner, zone_.at(owner), type);
    }
  }
  std::string answer(query.substr(0, 2));
  Put16(answer, 0x8580U | code);  // an authoritative answer
  Put16(answer, 1);
  Put16(answer, code == 0 ? count : 0);
  Put16(answer, 0);
  Put16(answer, 0);
  answer += query.substr(kHeaderSize, at + 5 - kHeaderSize);
  return code == 0 ? answer + records : answer;
}

}  // namespace baokms::supervisor
