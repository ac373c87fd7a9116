// What tests/mutation/run puts into a copy of the tree, so that one build has many faults.

#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string_view>

namespace baokms {

// The fault that is asked for: the content of a file, because the children of the provider get
// neither its environment nor its arguments. Read before main(), which is before any sandbox.
class AskedFault {
 public:
  AskedFault() {
    const int file = ::open("@FILE@", O_RDONLY | O_CLOEXEC);
    const ssize_t read = file < 0 ? 0 : ::read(file, bytes_.data(), bytes_.size());
    size_ = read < 0 ? 0 : static_cast<size_t>(read);
    if (file >= 0)
      ::close(file);
  }

  std::string_view name() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, 128> bytes_;  // longer than any name in faults.toml
  size_t size_;
};

inline const AskedFault kAskedFault;

inline bool PlantedFault(std::string_view name) {
  return kAskedFault.name() == name;
}

}  // namespace baokms
