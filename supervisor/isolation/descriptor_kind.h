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

// Reads the tables below /proc/<pid>/net: "tcp", "tcp_listener", "udp", "udplite", "raw", "icmp",
// "stream", "stream_listener", "seqpacket", "datagram", "netlink", "packet".
[[nodiscard]] SocketKinds ReadSocketKinds(const std::filesystem::path& process);

// Returns the kind of the descriptor behind `link`, an entry of /proc/<pid>/fd, whose target is
// `target`: one of the words above, "null", "memory", "proc" (what a process is and how much it
// uses: status, statm), "proc_other" (anything else there, such as its memory), "directory",
// "file", "program" (a path only, O_PATH), "pipe", "device", "socket" for any other socket, such as
// one that has no address yet or any more, or the name of an anonymous inode such as "eventpoll".
[[nodiscard]] std::string KindOfDescriptor(const std::filesystem::path& link,
                                           std::string_view target,
                                           const SocketKinds& sockets);

}  // namespace baokms::supervisor
