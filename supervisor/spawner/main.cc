// bao-kms-spawner: starts and kills the workers and the auth agent. Started by the supervisor only;
// by hand it ends at once, because the descriptors of ipc/child_descriptors.h are missing.

#include "supervisor/spawner/spawner.h"

int main() {
  return baokms::supervisor::RunSpawner();
}
