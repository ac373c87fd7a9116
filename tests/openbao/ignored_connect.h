// libcurl calls connect(2) on sockets that are connected already. In a worker the system call
// filter answers 0 to that; in a test this does the same.

#pragma once

#include <sys/socket.h>

namespace baokms::openbao {

// The length that a test's own connect(2) gives to be let through. The kernel takes it for any
// address; libcurl gives the address' real length.
inline constexpr socklen_t kRealConnectLength = sizeof(sockaddr_storage);

// From now on connect(2) with any other length does nothing and succeeds, in this thread and those
// it starts. Fails the test when the filter cannot be installed. Harmless when called again.
void IgnoreConnect();

// For a child of the test: in addition, opening a file or a socket of any kind kills the process,
// as it does in a worker.
void RefuseFilesAndSockets();

}  // namespace baokms::openbao
