// The addresses of one endpoint in a fixed order, each under a number that stays the same for as
// long as the process runs, so that a call can say which of them it has tried while lookups and
// other calls change the list.

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "supervisor/broker/resolver.h"

namespace baokms::supervisor {

class AddressList final {
 public:
  struct Choice {
    std::uint32_t number = 0;  // never 0
    SocketAddress address;
    std::uint32_t untried = 0;  // addresses that are neither this one nor in `tried`
  };

  // Takes over the result of a lookup. Addresses that were known keep their number and come first
  // in the order that they had: a name server that rotates its answers does not change it.
  void Replace(const std::vector<SocketAddress>& resolved);

  [[nodiscard]] bool empty() const { return current_.empty(); }

  // The address that follows the last one of `tried`, skipping the others of `tried`; with an empty
  // list the preferred address. Absent when all were tried.
  template <typename Numbers>
  [[nodiscard]] std::optional<Choice> Pick(const Numbers& tried) const {
    return PickAfter({tried.begin(), tried.end()});
  }

  // The address serves: it becomes the preferred one.
  void NoteUsable(std::uint32_t number);

  // The address does not serve: when it was the preferred one, the one after it becomes that.
  void NoteUnusable(std::uint32_t number);

 private:
  struct Numbered {
    std::uint32_t number = 0;
    SocketAddress address;
  };

  [[nodiscard]] std::optional<Choice> PickAfter(const std::vector<std::uint32_t>& tried) const;
  [[nodiscard]] std::size_t PositionOf(std::uint32_t number) const;
  std::uint32_t NumberOf(const SocketAddress& address);

  std::vector<Numbered> current_;
  std::vector<Numbered> known_;  // those of earlier lookups as well
  std::uint32_t preferred_ = 0;
  std::uint32_t last_number_ = 0;
};

}  // namespace baokms::supervisor
