// bao-kms-etcd-scan: counts what is stored in etcd for verify-rotation. Started by that command
// only; by hand it ends at once, because the descriptors of scan_program.h are missing.

#include "supervisor/etcd/scan_program.h"

int main() {
  return baokms::supervisor::RunScanProgram();
}
