// Good and bad values for every key: edge values of each rule.

#pragma once

#include <string>
#include <vector>

#include "tests/supervisor/config/config_texts.h"

namespace baokms::supervisor {

enum class Base { kJwt, kOAuth2, kCert, kCertUri };

// A valid configuration of this kind.
Keys BaseKeys(Base base);

struct ValueRow {
  std::string key;
  std::vector<std::string> good;
  std::vector<std::string> bad;
  // Part of the message about each bad value.
  std::string message;
  Base base = Base::kJwt;
};

std::vector<ValueRow> AllRows();

}  // namespace baokms::supervisor
