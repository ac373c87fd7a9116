#include "ipc/token_message.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "common/base/error.h"

namespace baokms::ipc {
namespace {

constexpr std::size_t kLeaseAt = kLoginRequestIdSize;
constexpr std::size_t kRenewableAt = kLeaseAt + 4;
static_assert(kRenewableAt + 1 == kTokenHeaderSize);

}  // namespace

Result<SecretBuffer> EncodeToken(const TokenMessage& message) {
  const std::span<const std::uint8_t> token = message.token.Reveal();
  if (token.empty() || token.size() > kMaxToken) {
    return Error(ErrorCode::kInvalidArgument, "token empty or too long to hand over");
  }
  SecretBuffer body = BAOKMS_TRY(SecretBuffer::Allocate(kTokenHeaderSize + token.size()));
  const std::span<std::uint8_t> bytes = body.RevealMutable();
  std::ranges::copy(message.request_id, bytes.begin());
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[kLeaseAt + i] = static_cast<std::uint8_t>(message.lease_seconds >> (8 * i));
  }
  bytes[kRenewableAt] = message.renewable ? 1 : 0;
  std::ranges::copy(token, bytes.subspan(kTokenHeaderSize).begin());
  return body;
}

Result<TokenMessage> DecodeToken(std::span<std::uint8_t> body) {
  if (body.size() <= kTokenHeaderSize || body.size() > kMaxTokenBody || body[kRenewableAt] > 1) {
    return Error(ErrorCode::kProtocolViolation, "malformed Token");
  }
  TokenMessage message;
  std::ranges::copy(body.first(kLoginRequestIdSize), message.request_id.begin());
  for (std::size_t i = 0; i < 4; ++i) {
    message.lease_seconds |= static_cast<std::uint32_t>(body[kLeaseAt + i]) << (8 * i);
  }
  message.renewable = body[kRenewableAt] == 1;
  message.token = BAOKMS_TRY(SecretBuffer::TakeFrom(body.subspan(kTokenHeaderSize)));
  return message;
}

}  // namespace baokms::ipc
