// What the kernel says of the memory at an address.

#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

namespace baokms {

// The VmFlags of the mapping that holds `address` (proc(5)): lo locked, dd not dumped, wf wiped on
// fork. Empty if there is no mapping.
inline std::string FlagsOf(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  bool found = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::istringstream range(line);
    if (line.find('-') < line.find(' ') && range >> std::hex >> begin >> dash >> end) {
      found = begin <= wanted && wanted < end;
    } else if (found && line.starts_with("VmFlags:")) {
      return line + " ";
    }
  }
  return "";
}

}  // namespace baokms
