#include "tests/base/test_data.h"

namespace baokms {

std::string TestDataPath(std::string_view below_tests) {
  return std::string(BAOKMS_TEST_DATA "/").append(below_tests);
}

}  // namespace baokms
