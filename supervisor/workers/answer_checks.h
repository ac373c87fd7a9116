// The form of what a worker sends: counts, enumerations, sizes. A worker may have been taken over,
// so anything that an honest one could not have sent is a breach of the protocol. What an answer
// means is judged elsewhere.

#pragma once

#include <cstddef>

#include "common/base/result.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {

// A status word of TokenStatus: lower case letters and '_'. The longest known has 18 characters.
inline constexpr std::size_t kMaxStatusWord = 32;

// A request id of OpenBao.
inline constexpr std::size_t kMaxRequestId = 128;

// "aes256-gcm96" and the like, as OpenBao names key types.
inline constexpr std::size_t kMaxKeyTypeName = 64;

// Every function: kProtocolViolation when the message is one that no honest worker sends.
Status CheckForm(const ipc::EncryptAnswer& answer);
Status CheckForm(const ipc::DecryptAnswer& answer);
Status CheckForm(const ipc::MetadataAnswer& answer);
Status CheckForm(const ipc::ProbeEncryptAnswer& answer);
Status CheckForm(const ipc::ProbeDecryptAnswer& answer);
Status CheckForm(const ipc::KeyTableAnswer& answer);
Status CheckForm(const ipc::TokenStatus& status);
Status CheckForm(const ipc::ConfinementReport& report);
Status CheckForm(const ipc::LogRecord& record);

}  // namespace baokms::supervisor
