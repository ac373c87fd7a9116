#include "ipc/sealed.h"

#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "proto/setup.pb.h"

namespace baokms::ipc {
namespace {

SpawnerSetup FourWorkers() {
  SpawnerSetup setup;
  setup.set_workers(4);
  return setup;
}

TEST(SealedTest, IsReadAsOftenAsWanted) {
  const Result<UniqueFd> sealed = SealMessage(FourWorkers());
  ASSERT_TRUE(sealed);
  for (int i = 0; i < 3; ++i) {
    const Result<SpawnerSetup> opened = OpenSealed<SpawnerSetup>(sealed->get());
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->workers(), 4U);
  }
}

TEST(SealedTest, CannotBeChangedByAnybody) {
  const Result<UniqueFd> sealed = SealMessage(FourWorkers());
  ASSERT_TRUE(sealed);
  EXPECT_EQ(::pwrite(sealed->get(), "x", 1, 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(::ftruncate(sealed->get(), 0), -1);
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED, sealed->get(), 0), MAP_FAILED);
  EXPECT_EQ(::fcntl(sealed->get(), F_ADD_SEALS, 0), -1);
}

TEST(SealedTest, IsRefusedWithoutItsSeals) {
  const UniqueFd open(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const std::string bytes = FourWorkers().SerializeAsString();
  ASSERT_EQ(::write(open.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  EXPECT_FALSE(OpenSealed<SpawnerSetup>(open.get()));
  ASSERT_EQ(::fcntl(open.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
  EXPECT_FALSE(OpenSealed<SpawnerSetup>(open.get()));  // could still be given other seals
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(OpenSealed<SpawnerSetup>(file.get()));
}

TEST(SealedTest, RefusesASetUpOverTheMaximum) {
  WorkerSetup setup;
  setup.mutable_openbao()->set_ca_pem(std::string(kMaxSetup, 'c'));
  EXPECT_FALSE(SealMessage(setup));
}

}  // namespace
}  // namespace baokms::ipc
