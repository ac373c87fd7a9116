// What `config` checks beyond the file's own text.

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/supervisor/cli/cli_fixture.h"
#include "tests/supervisor/cli/cli_run.h"
#include "tests/supervisor/config/config_texts.h"

namespace baokms::supervisor {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;
using testing::Not;

using CliConfigTest = CliTest;

TEST_F(CliConfigTest, ConfigLooksTheSocketsGroupUp) {
  const std::string path =
      WriteConfig(YamlOf(With(JwtKeys(), "server.socketGroup", "no-such-group")));
  const CliOutcome outcome = Invoke({"config", "--config", path});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err,
              HasSubstr(": server.socketGroup: no group of this host has this name\n"));
  EXPECT_EQ(Invoke({"config", "--config", path, "--no-host-checks"}).code, 0);
}

TEST_F(CliConfigTest, ConfigReadsTheRegistryWithoutTouchingIt) {
  const std::string state = root_ + "/registry.json";
  const std::string path = WriteConfig(YamlOf(With(JwtKeys(), "state.path", state)));
  EXPECT_THAT(Invoke({"config", "--config", path}).err, Not(HasSubstr("state.path")));
  std::ofstream(state) << "{}";
  ASSERT_EQ(::chmod(state.c_str(), 0600), 0);
  const CliOutcome corrupt = Invoke({"config", "--config", path});
  EXPECT_EQ(corrupt.code, 3);
  EXPECT_THAT(corrupt.err, HasSubstr("state.path: key registry " + state + " is corrupt"));
  EXPECT_EQ(Invoke({"config", "--config", path, "--no-host-checks"}).code, 0);
  fs::remove(state);
  fs::create_directory(state);
  EXPECT_THAT(Invoke({"config", "--config", path}).err,
              HasSubstr("state.path: key registry " + state + " cannot be read"));
  EXPECT_FALSE(fs::exists(state + ".lock"));
}

TEST_F(CliConfigTest, ConfigChecksTheProgramsThatServeStarts) {
  const std::string path = WriteConfig(YamlOf(JwtKeys()));
  const std::string problem = "cannot start the spawner: bao-kms-worker is not installed";
  const std::vector<std::string> words{"config", "--config", path};
  EXPECT_THAT(InvokeOn({}, {}, words, problem).err, HasSubstr("; " + problem + "\n"));
  EXPECT_EQ(InvokeOn({}, {}, {"config", "--config", path, "--no-host-checks"}, problem).code, 0);
}

}  // namespace
}  // namespace baokms::supervisor
