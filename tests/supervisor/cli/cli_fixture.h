// A directory for the files of a command line.

#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace baokms::supervisor {

// A directory of its own per test.
class CliTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<char, 32> name{"/tmp/baokms-cli-XXXXXX"};
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name.data();
  }

  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string WriteConfig(const std::string& text, mode_t mode = 0600) const {
    const std::string path = root_ + "/config.yaml";
    std::ofstream(path) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }

  std::string root_;
};

}  // namespace baokms::supervisor
