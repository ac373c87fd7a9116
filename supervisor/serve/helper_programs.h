// Opens the programs that this one starts, and checks who can replace them and who can read them.
//
// A process is dumpable from execve(2) until it hardens itself. In between, another process of its
// user could open its memory and keep the descriptor. The kernel prevents that for a program that
// its user cannot read, unless /proc/sys/fs/suid_dumpable is 1 (proc(5)): then the spawner, whom
// this concerns first, refuses to run. It need not see that file, which the service unit hides.

#pragma once

#include <sys/types.h>

#include <string>

#include "supervisor/children/start_spawner.h"
#include "supervisor/serve/start_failure.h"

namespace baokms::supervisor {

// Opens the programs beside this one, as OpenHelperPrograms() does.
Started<HelperPrograms> FindHelperPrograms(uid_t own_user);

// Opens the programs in `directory`, which ends with a slash, for a provider that runs as
// `own_user`. Exit code 3, with the command that corrects it: the directory, one above it or a
// program can be changed by users other than root and `own_user`, or a program of root's can be
// read. Exit code 5: a program is missing.
Started<HelperPrograms> OpenHelperPrograms(const std::string& directory, uid_t own_user);

}  // namespace baokms::supervisor
