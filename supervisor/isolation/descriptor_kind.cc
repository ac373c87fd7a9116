#include "supervisor/isolation/descriptor_kind.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

namespace baokms::supervisor {
namespace {

constexpr std::string_view kSocketPrefix = "socket:[";

// A line of a table, split at white space.
std::vector<std::string> Words(const std::string& line) {
  std::istringstream words(line);
  return {std::istream_iterator<std::string>(words), {}};
}

std::uint64_t Number(std::string_view text, int base) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

// /proc/net/{tcp,udp,raw}: "sl local remote st ... inode" with the inode as the tenth word
// (proc(5)).
std::string InternetKind(std::string_view protocol, const std::vector<std::string>& words) {
  constexpr std::string_view kListening = "0A";  // TCP_LISTEN
  return protocol == "tcp" && words[3] == kListening ? "tcp_listener" : std::string(protocol);
}

void ReadInternet(const std::filesystem::path& process, SocketKinds& kinds) {
  constexpr std::size_t kInode = 9;
  for (const std::string_view protocol : {"tcp", "udp", "udplite", "raw", "icmp"}) {
    for (const std::string_view version : {"", "6"}) {
      std::ifstream table(process / "net" / std::string(protocol).append(version));
      for (std::string line; std::getline(table, line);) {
        if (const std::vector<std::string> words = Words(line); words.size() > kInode) {
          kinds[Number(words[kInode], 10)] = InternetKind(protocol, words);
        }
      }
    }
  }
}

// /proc/net/unix: "Num RefCount Protocol Flags Type St Inode Path".
std::string UnixKind(const std::vector<std::string>& words) {
  constexpr std::uint64_t kAccepts = 0x10000;  // __SO_ACCEPTCON
  const bool listens = (Number(words[3], 16) & kAccepts) != 0;
  switch (Number(words[4], 16)) {
    case SOCK_SEQPACKET:
      return listens ? "seqpacket_listener" : "seqpacket";
    case SOCK_DGRAM:
      return "datagram";
    default:
      return listens ? "stream_listener" : "stream";
  }
}

void ReadUnix(const std::filesystem::path& process, SocketKinds& kinds) {
  constexpr std::size_t kInode = 6;
  std::ifstream table(process / "net" / "unix");
  for (std::string line; std::getline(table, line);) {
    if (const std::vector<std::string> words = Words(line); words.size() > kInode) {
      kinds[Number(words[kInode], 10)] = UnixKind(words);
    }
  }
}

// /proc/net/{netlink,packet}, whose last word is the inode.
void ReadOthers(const std::filesystem::path& process, SocketKinds& kinds) {
  for (const char* family : {"netlink", "packet"}) {
    std::ifstream table(process / "net" / family);
    for (std::string line; std::getline(table, line);) {
      if (const std::vector<std::string> words = Words(line); !words.empty()) {
        kinds[Number(words.back(), 10)] = family;
      }
    }
  }
}

// O_PATH descriptors can be executed, not read (open(2)).
bool IsPathOnly(const std::filesystem::path& link) {
  constexpr std::uint64_t kPathFlag = 010000000;
  const std::filesystem::path info = link.parent_path().parent_path() / "fdinfo" / link.filename();
  std::ifstream stream(info);
  for (std::string line; std::getline(stream, line);) {
    if (const std::vector<std::string> words = Words(line);
        words.size() == 2 && words[0] == "flags:") {
      return (Number(words[1], 8) & kPathFlag) != 0;
    }
  }
  return false;
}

std::string KindOfFile(const std::filesystem::path& link) {
  struct stat info {};

  if (::stat(link.c_str(), &info) != 0) {
    return "file";
  }
  if (S_ISDIR(info.st_mode)) {
    return "directory";
  }
  if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
    return "device";
  }
  return IsPathOnly(link) ? "program" : "file";
}

}  // namespace

SocketKinds ReadSocketKinds(const std::filesystem::path& process) {
  SocketKinds kinds;
  ReadInternet(process, kinds);
  ReadUnix(process, kinds);
  ReadOthers(process, kinds);
  return kinds;
}

std::string KindOfDescriptor(const std::filesystem::path& link,
                             std::string_view target,
                             const SocketKinds& sockets) {
  constexpr std::string_view kAnonymous = "anon_inode:[";
  if (target == "/dev/null") {
    return "null";
  }
  if (target.starts_with(kSocketPrefix)) {
    const auto kind = sockets.find(Number(target.substr(kSocketPrefix.size()), 10));
    return kind == sockets.end() ? "socket" : kind->second;
  }
  if (target.starts_with(kAnonymous)) {
    return std::string(target.substr(kAnonymous.size(), target.size() - kAnonymous.size() - 1));
  }
  if (target.starts_with("pipe:")) {
    return "pipe";
  }
  if (target.starts_with("/memfd:")) {
    return "memory";
  }
  if (target.starts_with("/proc/")) {
    return target.ends_with("/status") || target.ends_with("/statm") ? "proc" : "proc_other";
  }
  return KindOfFile(link);
}

}  // namespace baokms::supervisor
