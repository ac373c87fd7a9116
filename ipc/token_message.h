// The Token message: raw bytes instead of protobuf, so that a token is only ever in buffers that
// this project wipes. Layout: request id (16), lease in seconds (4, little endian), renewable (1: 0
// or 1), token.

#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "ipc/limits.h"

namespace baokms::ipc {

using LoginRequestId = std::array<std::uint8_t, kLoginRequestIdSize>;

struct TokenMessage {
  LoginRequestId request_id{};
  std::uint32_t lease_seconds = 0;  // 0: does not expire
  bool renewable = false;
  SecretBuffer token;
};

// Encodes the body of a Token datagram in locked memory. kInvalidArgument: the token is empty or
// longer than kMaxToken.
Result<SecretBuffer> EncodeToken(const TokenMessage& message);

// Decodes a body and wipes it. kProtocolViolation: too short, too long, or a flag other than 0 or
// 1.
Result<TokenMessage> DecodeToken(std::span<std::uint8_t> body);

}  // namespace baokms::ipc
