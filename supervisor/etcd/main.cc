// bao-kms-etcd-scan: counts the objects in etcd for verify-rotation. Only that command can start
// it; started by hand it exits immediately, because the descriptors of scan_program.h are missing.

#include "supervisor/etcd/scan_program.h"

int main() {
  return baokms::supervisor::RunScanProgram();
}
