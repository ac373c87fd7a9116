// bao-kms-etcd-scan: counts the objects in etcd for verify-rotation. Only that command can start
// it; started by hand it exits immediately.

#include "ipc/child_process.h"
#include "supervisor/etcd/scan_program.h"

int main(int argument_count, char** /*arguments*/) {
  return baokms::ipc::RunUnlessByHand("bao-kms-etcd-scan", argument_count,
                                      baokms::supervisor::RunScanProgram);
}
