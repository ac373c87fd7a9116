// What is done with a plaintext that is held as a string.

#pragma once

#include <strings.h>

#include <string>
#include <utility>

#include <openssl/crypto.h>

namespace baokms::supervisor {

inline void Wipe(std::string& secret) {
  ::explicit_bzero(secret.data(), secret.size());
}

// Moves a secret and leaves no byte of it behind: a short one is copied by a move.
inline std::string TakeSecret(std::string& from) {
  std::string taken = std::move(from);
  from.resize(from.capacity());
  Wipe(from);
  from.clear();
  return taken;
}

// Compares in a time that depends on the sizes alone.
inline bool IsSameSecret(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace baokms::supervisor
