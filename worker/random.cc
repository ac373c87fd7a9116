#include "worker/random.h"

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "ipc/token_message.h"

namespace baokms::worker {
namespace {

void Fill(std::span<std::uint8_t> bytes) {
  // Requests of up to 256 bytes are never interrupted (getrandom(2)).
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    std::abort();
  }
}

}  // namespace

ipc::LoginRequestId NewLoginRequestId() {
  ipc::LoginRequestId id{};
  Fill(id);
  return id;
}

double UniformRandom() {
  std::array<std::uint8_t, 4> bytes{};
  Fill(bytes);
  std::uint32_t number = 0;
  for (const std::uint8_t byte : bytes) {
    number = (number << 8U) | byte;
  }
  return number / 4294967296.0;
}

}  // namespace baokms::worker
