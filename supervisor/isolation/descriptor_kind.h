// The kinds of open descriptors, in words of a fixed vocabulary.

#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace baokms::supervisor {

// The kind of each socket of a network namespace by its inode.
using SocketKinds = std::map<std::uint64_t, std::string>;

// Reads the tables below /proc/<pid>/net: "tcp", "tcp_listener", "udp", "stream",
// "stream_listener", "seqpacket", "datagram".
[[nodiscard]] SocketKinds ReadSocketKinds(const std::filesystem::path& process);

// Returns the kind of the descriptor behind `link`, an entry of /proc/<pid>/fd, whose target is
// `target`: one of the words above, "null", "memory", "proc", "directory", "file", "program" (a
// path only, O_PATH), "pipe", "device", "socket" for any other socket, or the name of an anonymous
// inode such as "eventpoll".
[[nodiscard]] std::string KindOfDescriptor(const std::filesystem::path& link,
                                           std::string_view target,
                                           const SocketKinds& sockets);

}  // namespace baokms::supervisor
