// How a test makes a child that was built to lie do so: SIGRTMIN + n makes it tell its lie n from
// then on. Lie 7 is that it cannot start: it exits with code 1.

#pragma once

#include <signal.h>

namespace baokms {

// Returns the lie that was asked for last, or -1. The signals are received from before main() on,
// because a child's own filter forbids to ask for them.
int ToldLie();

}  // namespace baokms
