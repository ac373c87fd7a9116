#include "tests/openbao/ignored_connect.h"

#include <seccomp.h>

#include <initializer_list>

#include <gtest/gtest.h>

namespace baokms::openbao {
namespace {

void Install(std::initializer_list<int> killed) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  ASSERT_NE(filter, nullptr);
  const scmp_arg_cmp other_length{
      .arg = 2, .op = SCMP_CMP_NE, .datum_a = kRealConnectLength, .datum_b = 0};
  ASSERT_EQ(seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(connect), 1, &other_length),
            0);
  for (const int number : killed) {
    ASSERT_EQ(seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, number, 0), 0);
  }
  ASSERT_EQ(seccomp_load(filter), 0);
  seccomp_release(filter);
}

}  // namespace

void IgnoreConnect() {
  static const bool installed = [] {
    Install({});
    return true;
  }();
  ASSERT_TRUE(installed);
}

void RefuseFilesAndSockets() {
  Install({SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(creat), SCMP_SYS(socket),
           SCMP_SYS(socketpair), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(eventfd2),
           SCMP_SYS(epoll_create1), SCMP_SYS(memfd_create), SCMP_SYS(stat), SCMP_SYS(newfstatat),
           SCMP_SYS(access), SCMP_SYS(readlink), SCMP_SYS(execve), SCMP_SYS(clone3)});
}

}  // namespace baokms::openbao
