// bao-kms-spawner: starts and kills the workers and the auth agent. Only the supervisor can start
// it; started by hand it exits immediately, because the descriptors of ipc/child_descriptors.h are
// missing.

#include "supervisor/spawner/spawner.h"

int main() {
  return baokms::supervisor::RunSpawner();
}
