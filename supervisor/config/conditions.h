// The conditions on which other keys depend: the chosen login method and its source.

#pragma once

#include <string_view>

#include "supervisor/config/config.h"

namespace baokms::supervisor {

// A state of other keys in which a key applies.
struct Condition {
  bool (*holds)(const Config&);
  std::string_view text;  // for the "required" column of the reference
};

extern const Condition kAlways;
extern const Condition kWithJwt;
extern const Condition kWithJwtFile;
extern const Condition kWithOAuth2;
extern const Condition kWithCert;
extern const Condition kWithPkcs11;
extern const Condition kWithLabels;
extern const Condition kWithSpiffe;

}  // namespace baokms::supervisor
