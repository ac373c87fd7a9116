#include "common/openbao/address_search.h"

#include <algorithm>
#include <cstddef>

#include "ipc/limits.h"

namespace baokms::openbao {

void AddressSearch::Begin(std::uint32_t first, std::uint32_t endpoint_count) {
  first_ = endpoint_ = first;
  endpoint_count_ = endpoint_count;
  untried_ = 0;
  tried_.clear();
}

void AddressSearch::Note(std::uint32_t address, std::uint32_t untried) {
  if (address != 0) {
    tried_.push_back(address);
  }
  // The list of tried addresses must fit into a request, however often the name's addresses change
  // in the meantime.
  untried_ = tried_.size() < ipc::kMaxAddresses ? untried : 0;
}

void AddressSearch::AllowAgain() {
  if (!tried_.empty()) {
    tried_.pop_back();
    ++untried_;
  }
}

bool AddressSearch::Next() {
  if (untried_ > 0) {
    return true;
  }
  const std::uint32_t next = (endpoint_ + 1) % endpoint_count_;
  if (next == first_) {
    return false;
  }
  endpoint_ = next;
  tried_.clear();
  return true;
}

std::uint32_t AddressSearch::remaining() const {
  const std::uint32_t asked = (endpoint_ + endpoint_count_ - first_) % endpoint_count_ + 1;
  return untried_ + endpoint_count_ - asked;
}

}  // namespace baokms::openbao
