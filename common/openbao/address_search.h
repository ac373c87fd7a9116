// The order in which one call goes through the addresses of all endpoints, each address once.

#pragma once

#include <cstdint>
#include <vector>

namespace baokms::openbao {

class AddressSearch final {
 public:
  // Nothing has been tried; the search begins at endpoint `first` of `endpoint_count`.
  void Begin(std::uint32_t first, std::uint32_t endpoint_count);

  // Begins again where the search began.
  void Restart() { Begin(first_, endpoint_count_); }

  [[nodiscard]] std::uint32_t endpoint() const { return endpoint_; }

  // Numbers of the current endpoint's addresses that were tried, the latest one last.
  [[nodiscard]] const std::vector<std::uint32_t>& tried() const { return tried_; }

  // The connector's answer for the current endpoint: `address` (0: none) is now tried, and
  // `untried` more are left.
  void Note(std::uint32_t address, std::uint32_t untried);

  // The latest address may be tried once more.
  void AllowAgain();

  // Moves on to an untried address: of this endpoint, or of the next one after the last endpoint
  // wraps around to the first. False when every address of every endpoint was tried.
  [[nodiscard]] bool Next();

  // Addresses that are left behind the current one, as far as is known: an endpoint that was not
  // asked yet counts as one.
  [[nodiscard]] std::uint32_t remaining() const;

 private:
  std::uint32_t first_ = 0;
  std::uint32_t endpoint_count_ = 1;
  std::uint32_t endpoint_ = 0;
  std::uint32_t untried_ = 0;
  std::vector<std::uint32_t> tried_;
};

}  // namespace baokms::openbao
