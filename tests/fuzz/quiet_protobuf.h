// Protobuf writes a line for every text that is not UTF-8, which would be most of a target's
// output. Include it in one file of the target.

#pragma once

#include <google/protobuf/stubs/logging.h>

// libFuzzer calls it once, before the first input.
extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}
