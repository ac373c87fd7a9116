// What is loaded is the file that was checked, whatever its path names by then.

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "authagent/pkcs11/hsm_session.h"
#include "authagent/pkcs11/key_selection.h"
#include "common/base/safe_path.h"
#include "common/setup/module_file.h"

namespace baokms::authagent {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(ModuleLoadingTest, AFileThatTakesThePlaceOfTheCheckedOneIsNotLoaded) {
  std::array<char, 32> name{"/tmp/baokms-module-XXXXXX"};
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  const fs::path folder(name.data());
  const std::string path = folder / "module.so";
  fs::copy_file(BAOKMS_FAULTY_MODULE, path);
  const KeySelection selection = KeySelection::FromLabels(path, "token", "key").value();

  const Opened checked = setup::OpenModuleFile(path, ::geteuid());
  ASSERT_FALSE(checked.refusal.has_value());
  std::ofstream(folder / "other") << "not a module";
  fs::rename(folder / "other", path);

  // A module in front of one that does not exist is a shared library that fails.
  ASSERT_EQ(::setenv("FAULTY_MODULE", "/dev/null", 1), 0);
  EXPECT_THAT(HsmSession::Open(checked.fd.get(), selection).error().what(),
              HasSubstr("C_GetFunctionList failed"));
  const Opened other = setup::OpenModuleFile(path, ::geteuid());
  EXPECT_THAT(HsmSession::Open(other.fd.get(), selection).error().what(),
              HasSubstr("not a shared library"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace baokms::authagent
