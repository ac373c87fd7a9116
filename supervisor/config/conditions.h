// The conditions on which keys of the configuration depend.

#pragma once

#include <string_view>

#include "supervisor/config/auth_method.h"
#include "supervisor/config/config.h"

namespace baokms::supervisor {

// A state of other keys in which a key applies.
struct Condition {
  bool (*holds)(const Config&);
  std::string_view text;  // for the "required" column of the reference
};

inline constexpr Condition kAlways{[](const Config&) { return true; }, "yes"};

template <AuthMethod kMethod>
inline constexpr Condition kWithMethod{
    [](const Config& config) { return config.auth.method == kMethod; },
    TraitsOf(kMethod).condition};

inline constexpr const Condition& kWithJwt = kWithMethod<AuthMethod::kJwt>;
inline constexpr const Condition& kWithCert = kWithMethod<AuthMethod::kCert>;

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
