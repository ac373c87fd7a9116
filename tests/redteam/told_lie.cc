#include "tests/redteam/told_lie.h"

#include <unistd.h>

namespace baokms {
namespace {

constexpr int kLies = 8;
constexpr int kExit = kLies - 1;

volatile sig_atomic_t told = -1;

void TellLie(int signal) {
  told = signal - SIGRTMIN;
  if (told == kExit) {
    ::_exit(1);
  }
}

[[maybe_unused]] const bool kListening = [] {
  struct sigaction action {};

  action.sa_handler = TellLie;
  action.sa_flags = SA_RESTART;
  for (int lie = 0; lie < kLies; ++lie) {
    (void)sigaction(SIGRTMIN + lie, &action, nullptr);
  }
  return true;
}();

}  // namespace

int ToldLie() {
  return told;
}

}  // namespace baokms
