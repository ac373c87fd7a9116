// Where tests find the files of the source tree that they read.
#pragma once

#include <string>
#include <string_view>

namespace baokms {

// Returns the absolute path of a file or folder below tests/, for example "fixtures/errors".
std::string TestDataPath(std::string_view below_tests);

}  // namespace baokms
