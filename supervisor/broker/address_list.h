// The addresses of one endpoint in a fixed order. Each has a number that stays the same for the
// life of the process, so that a call can say which of them it has tried while lookups and other
// calls change the list.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "supervisor/broker/resolver.h"

namespace baokms::supervisor {

class AddressList final {
 public:
  struct Choice {
    std::uint32_t number = 0;  // never 0
    SocketAddress address;
    std::uint32_t untried = 0;  // number of addresses that are neither this one nor in `tried`
  };

  // Replaces the addresses with the result of a lookup. Known addresses keep their number and come
  // first in their previous order, so a name server that rotates its answers does not change it.
  void Replace(const std::vector<SocketAddress>& resolved);

  [[nodiscard]] bool empty() const { return current_.empty(); }

  // Returns the address that follows the last one of `tried`, skipping the others in `tried`; with
  // an empty list the preferred address. Returns nothing if all were tried.
  [[nodiscard]] std::optional<Choice> Pick(std::span<const std::uint32_t> tried) const;

  // Marks the address as usable: it becomes the preferred one.
  void NoteUsable(std::uint32_t number);

  // Marks the address as unusable: if it was the preferred one, the next one becomes preferred.
  void NoteUnusable(std::uint32_t number);

 private:
  struct Numbered {
    std::uint32_t number = 0;
    SocketAddress address;
  };

  [[nodiscard]] std::size_t PositionOf(std::uint32_t number) const;
  std::uint32_t NumberOf(const SocketAddress& address);

  std::vector<Numbered> current_;
  std::vector<Numbered> known_;  // including those of earlier lookups
  std::uint32_t preferred_ = 0;
  std::uint32_t last_number_ = 0;
};

}  // namespace baokms::supervisor
