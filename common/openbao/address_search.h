// The order in which one call tries the addresses of all endpoints, each address once.

#pragma once

#include <cstdint>
#include <vector>

#include "ipc/limits.h"

namespace baokms::openbao {

class AddressSearch final {
 public:
  // Starts a new search at endpoint `first` of `endpoint_count`; no address has been tried.
  void Begin(std::uint32_t first, std::uint32_t endpoint_count) {
    first_ = endpoint_ = first;
    endpoint_count_ = endpoint_count;
    untried_ = 0;
    tried_.clear();
  }

  // Starts again at the endpoint where the search began.
  void Restart() { Begin(first_, endpoint_count_); }

  [[nodiscard]] std::uint32_t endpoint() const { return endpoint_; }

  // Returns the numbers of the current endpoint's addresses that were tried, the latest last.
  [[nodiscard]] const std::vector<std::uint32_t>& tried() const { return tried_; }

  // Records the connector's answer for the current endpoint: `address` (0: none) has been tried,
  // and `untried` more remain. The list of tried addresses must fit into a request, however often
  // the name's addresses change in the meantime.
  void Note(std::uint32_t address, std::uint32_t untried) {
    if (address != 0) {
      tried_.push_back(address);
    }
    untried_ = tried_.size() < ipc::kMaxAddresses ? untried : 0;
  }

  // Permits one more attempt to the latest address.
  void AllowAgain() {
    if (!tried_.empty()) {
      tried_.pop_back();
      ++untried_;
    }
  }

  // Moves to an address that was not tried: of this endpoint, or of the next one (the first follows
  // the last). Returns false when every address of every endpoint was tried.
  [[nodiscard]] bool Next() {
    if (untried_ > 0) {
      return true;
    }
    if (IsAtLastEndpoint()) {
      return false;
    }
    endpoint_ = (endpoint_ + 1) % endpoint_count_;
    tried_.clear();
    return true;
  }

  [[nodiscard]] bool IsAtLastEndpoint() const {
    return (endpoint_ + 1) % endpoint_count_ == first_;
  }

  // Returns the number of addresses that remain after the current one, as far as known: an endpoint
  // that was not queried yet counts as one.
  [[nodiscard]] std::uint32_t remaining() const {
    const std::uint32_t asked = (endpoint_ + endpoint_count_ - first_) % endpoint_count_ + 1;
    return untried_ + endpoint_count_ - asked;
  }

 private:
  std::uint32_t first_ = 0;
  std::uint32_t endpoint_count_ = 1;
  std::uint32_t endpoint_ = 0;
  std::uint32_t untried_ = 0;
  std::vector<std::uint32_t> tried_;
};

}  // namespace baokms::openbao
