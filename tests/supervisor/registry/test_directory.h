// A fresh directory for one test, removed with everything in it.

#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "gtest/gtest.h"

namespace baokms::supervisor {

class TestDirectory final {
 public:
  // In memory where that is possible: each save synchronizes its files and their directory, for
  // which a disk needs most of the time of these tests.
  TestDirectory() {
    const bool in_memory = ::access("/dev/shm", W_OK) == 0;
    std::string pattern = (in_memory ? "/dev/shm/" : ::testing::TempDir()) + "registry.XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }

  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  ~TestDirectory() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string File(const std::string& name) const { return path_ + "/" + name; }

  [[nodiscard]] const std::string& path() const { return path_; }

  void Write(const std::string& name, const std::string& content, ::mode_t mode = 0640) const {
    std::ofstream(File(name), std::ios::binary | std::ios::trunc) << content;
    ASSERT_EQ(::chmod(File(name).c_str(), mode), 0);
  }

  void Remove(const std::string& name) const { std::filesystem::remove(File(name)); }

  [[nodiscard]] std::string Read(const std::string& name) const {
    std::ifstream file(File(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  [[nodiscard]] bool Has(const std::string& name) const {
    return std::filesystem::exists(std::filesystem::symlink_status(File(name)));
  }

 private:
  std::string path_;
};

}  // namespace baokms::supervisor
