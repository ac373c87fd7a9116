#include "supervisor/broker/address_list.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace baokms::supervisor {
namespace {

// Maximum number of addresses whose numbers are remembered. A service that returns a few of many
// addresses with each answer stays below it; beyond it, only the latest answer counts.
constexpr std::size_t kMaxKnown = 256;

}  // namespace

std::uint32_t AddressList::NumberOf(const SocketAddress& address) {
  const auto found = std::ranges::find(known_, address, &Numbered::address);
  if (found != known_.end()) {
    return found->number;
  }
  last_number_ = std::max(last_number_ + 1, std::uint32_t{1});  // 0 identifies none
  known_.push_back({last_number_, address});
  return last_number_;
}

void AddressList::Replace(const std::vector<SocketAddress>& resolved) {
  if (known_.size() + resolved.size() > kMaxKnown) {
    known_ = current_;
  }
  std::vector<Numbered> next;
  for (const SocketAddress& address : resolved) {
    const std::uint32_t number = NumberOf(address);
    if (std::ranges::find(next, number, &Numbered::number) == next.end()) {
      next.push_back({number, address});
    }
  }
  std::ranges::stable_sort(next, {}, [this](const Numbered& entry) {
    return PositionOf(entry.number);  // new ones: after all others, in the resolver's order
  });
  current_ = std::move(next);
}

std::size_t AddressList::PositionOf(std::uint32_t number) const {
  const auto found = std::ranges::find(current_, number, &Numbered::number);
  return static_cast<std::size_t>(found - current_.begin());
}

std::optional<AddressList::Choice> AddressList::Pick(std::span<const std::uint32_t> tried) const {
  const std::size_t count = current_.size();
  std::size_t first = PositionOf(preferred_) % std::max(count, std::size_t{1});
  if (!tried.empty() && PositionOf(tried.back()) < count) {
    first = PositionOf(tried.back()) + 1;
  }
  std::optional<Choice> choice;
  for (std::size_t i = 0; i < count; ++i) {
    const Numbered& entry = current_[(first + i) % count];
    if (std::ranges::find(tried, entry.number) != tried.end()) {
      continue;
    }
    if (choice) {
      ++choice->untried;
    } else {
      choice = Choice{.number = entry.number, .address = entry.address};
    }
  }
  return choice;
}

void AddressList::NoteUsable(std::uint32_t number) {
  if (PositionOf(number) < current_.size()) {
    preferred_ = number;
  }
}

void AddressList::NoteUnusable(std::uint32_t number) {
  const std::size_t position = PositionOf(number);
  const std::size_t count = current_.size();
  if (position < count && position == PositionOf(preferred_) % count) {
    preferred_ = current_[(position + 1) % count].number;
  }
}

}  // namespace baokms::supervisor
