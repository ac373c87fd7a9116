// What tells the auth methods apart: the conditions on which other keys depend, and one row of
// traits for each method. Only the function that fills the agent's set-up distinguishes them
// otherwise.

#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "supervisor/config/choices.h"
#include "supervisor/config/config.h"

namespace baokms::supervisor {

// A state of other keys in which a key applies.
struct Condition {
  bool (*holds)(const Config&);
  std::string_view text;  // for the "required" column of the reference
};

inline constexpr Condition kAlways{[](const Config&) { return true; }, "yes"};
inline constexpr Condition kWithJwt{
    [](const Config& config) { return config.auth.method == AuthMethod::kJwt; },
    "with method `jwt`"};
inline constexpr Condition kWithJwtFile{[](const Config& config) {
                                          return kWithJwt.holds(config) &&
                                                 config.auth.jwt.source == JwtSource::kFile;
                                        },
                                        "with source `file`"};
inline constexpr Condition kWithOAuth2{[](const Config& config) {
                                         return kWithJwt.holds(config) &&
                                                config.auth.jwt.source == JwtSource::kOAuth2;
                                       },
                                       "with source `oauth2`"};
inline constexpr Condition kWithCert{
    [](const Config& config) { return config.auth.method == AuthMethod::kCert; },
    "with method `cert`"};
inline constexpr Condition kWithPkcs11{[](const Config& config) {
                                         return kWithCert.holds(config) &&
                                                config.auth.cert.source == CertSource::kPkcs11;
                                       },
                                       "with source `pkcs11`"};
inline constexpr Condition kWithLabels{[](const Config& config) {
                                         return kWithPkcs11.holds(config) &&
                                                config.auth.cert.pkcs11.uri.empty();
                                       },
                                       "with source `pkcs11` and no `uri`"};
inline constexpr Condition kWithSpiffe{[](const Config& config) {
                                         return kWithCert.holds(config) &&
                                                config.auth.cert.source == CertSource::kSpiffe;
                                       },
                                       "with source `spiffe`"};

struct AuthMethodTraits {
  AuthMethod method{};
  std::string_view section;        // of its keys: "auth.jwt"
  std::string_view example_title;  // above its minimal file in the reference
  bool token_renewable = false;    // a worker may renew its own token
  // The credential is a certificate whose key is in a PKCS#11 module: the agent presents a PIN and
  // runs vendor code.
  bool key_in_module = false;
};

// In the order of the documentation.
inline constexpr std::array<AuthMethodTraits, 2> kAuthMethods{{
    {.method = AuthMethod::kJwt,
     .section = "auth.jwt",
     .example_title = "With a JWT from a file",
     .token_renewable = true},
    {.method = AuthMethod::kCert,
     .section = "auth.cert",
     .example_title = "With a client certificate whose key is in a PKCS #11 token",
     .key_in_module = true},
}};

// Returns the traits of a method; all of them are empty for kUnset.
constexpr AuthMethodTraits TraitsOf(AuthMethod method) {
  const auto* found = std::ranges::find(kAuthMethods, method, &AuthMethodTraits::method);
  return found == kAuthMethods.end() ? AuthMethodTraits{} : *found;
}

}  // namespace baokms::supervisor
