// What tells the auth methods apart: one row of traits for each of them, from which the values of
// auth.method follow as well. Only the function that fills the agent's set-up distinguishes the
// methods otherwise.

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "supervisor/config/choices.h"

namespace baokms::supervisor {

// kUnset as in choices.h.
enum class AuthMethod : std::uint8_t { kUnset, kJwt, kCert };

struct AuthMethodTraits {
  std::string_view word;  // in the file, as of a Choice
  AuthMethod value{};
  std::string_view condition;      // for the "required" column of the reference
  std::string_view section;        // of its keys: "auth.jwt"
  std::string_view example_title;  // above its minimal file in the reference
  bool token_renewable = false;    // a worker may renew its own token
  // The credential is a certificate whose key is in a PKCS#11 module: the agent presents a PIN and
  // runs vendor code.
  bool key_in_module = false;
};

// In the order of the documentation.
inline constexpr std::array<AuthMethodTraits, 2> kAuthMethods{{
    {.word = "jwt",
     .value = AuthMethod::kJwt,
     .condition = "with method `jwt`",
     .section = "auth.jwt",
     .example_title = "With a JWT from a file",
     .token_renewable = true},
    {.word = "cert",
     .value = AuthMethod::kCert,
     .condition = "with method `cert`",
     .section = "auth.cert",
     .example_title = "With a client certificate whose key is in a PKCS #11 token",
     .key_in_module = true},
}};

template <>
inline constexpr auto kChoices<AuthMethod> = kAuthMethods;

// Returns the traits of a method; all of them are empty for kUnset.
constexpr AuthMethodTraits TraitsOf(AuthMethod method) {
  const auto* found = std::ranges::find(kAuthMethods, method, &AuthMethodTraits::value);
  return found == kAuthMethods.end() ? AuthMethodTraits{} : *found;
}

}  // namespace baokms::supervisor
