#include "supervisor/config/conditions.h"

#include "supervisor/config/choices.h"

namespace baokms::supervisor {

const Condition kAlways{[](const Config&) { return true; }, "yes"};
const Condition kWithJwt{
    [](const Config& config) { return config.auth.method == AuthMethod::kJwt; },
    "with method `jwt`"};
const Condition kWithJwtFile{[](const Config& config) {
                               return kWithJwt.holds(config) &&
                                      config.auth.jwt.source == JwtSource::kFile;
                             },
                             "with source `file`"};
const Condition kWithOAuth2{[](const Config& config) {
                              return kWithJwt.holds(config) &&
                                     config.auth.jwt.source == JwtSource::kOAuth2;
                            },
                            "with source `oauth2`"};
const Condition kWithCert{
    [](const Config& config) { return config.auth.method == AuthMethod::kCert; },
    "with method `cert`"};
const Condition kWithPkcs11{[](const Config& config) {
                              return kWithCert.holds(config) &&
                                     config.auth.cert.source == CertSource::kPkcs11;
                            },
                            "with source `pkcs11`"};
const Condition kWithLabels{[](const Config& config) {
                              return kWithPkcs11.holds(config) &&
                                     config.auth.cert.pkcs11.uri.empty();
                            },
                            "with source `pkcs11` and no `uri`"};
const Condition kWithSpiffe{[](const Config& config) {
                              return kWithCert.holds(config) &&
                                     config.auth.cert.source == CertSource::kSpiffe;
                            },
                            "with source `spiffe`"};

}  // namespace baokms::supervisor
