// Scripts of a hostile peer: the bytes of a fuzz target as datagrams on channels between processes.

#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string_view>

#include "common/base/event_loop.h"

namespace baokms {

// One datagram. In the script: a byte that says where it goes, its type, its size in two bytes
// (little endian), and its body. What a script does not hold any more is left out.
struct Frame {
  std::uint8_t where = 0;
  std::uint8_t type = 0;
  std::string_view body;
};

// Takes the next frame off the script.
inline std::optional<Frame> TakeFrame(std::string_view& script) {
  constexpr std::size_t kHeader = 4;
  if (script.size() < kHeader) {
    return std::nullopt;
  }
  const auto byte = [script](std::size_t at) {
    return static_cast<std::uint8_t>(script[at]);
  };
  const std::size_t size = byte(2) | std::size_t{byte(3)} << 8U;
  const Frame frame{byte(0), byte(1), script.substr(kHeader, size)};
  script.remove_prefix(std::min(script.size(), kHeader + size));
  return frame;
}

// Sends a frame as no encoder of this project would, with a descriptor unless `attached` is -1. One
// that does not fit into the socket is dropped.
inline void SendFrame(int channel, const Frame& frame, int attached) {
  std::array<char, 2> type{static_cast<char>(frame.type), 0};
  std::array<iovec, 2> parts{iovec{type.data(), type.size()},
                             iovec{const_cast<char*>(frame.body.data()), frame.body.size()}};
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (attached >= 0) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &attached, sizeof(int));
  }
  (void)!::sendmsg(channel, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Calls `end` after so many turns of the loop. In each of them the loop handles everything that is
// ready.
inline void AfterTurns(EventLoop& loop, int turns, std::function<void()> end) {
  loop.Post([&loop, turns, end = std::move(end)] {
    if (turns == 0) {
      end();
    } else {
      AfterTurns(loop, turns - 1, end);
    }
  });
}

}  // namespace baokms
