// The conditions on which other keys depend: the chosen login method and its source.

#pragma once

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

}  // namespace baokms::supervisor
