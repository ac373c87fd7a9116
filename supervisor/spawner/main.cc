// bao-kms-spawner: starts and kills the workers and the auth agent. Only the supervisor can start
// it; started by hand it exits immediately.

#include "ipc/child_process.h"
#include "supervisor/spawner/spawner.h"

int main(int argument_count, char** /*arguments*/) {
  return baokms::ipc::RunUnlessByHand("bao-kms-spawner", argument_count,
                                      baokms::supervisor::RunSpawner);
}
