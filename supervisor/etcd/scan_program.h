// The life cycle of bao-kms-etcd-scan: confines itself, reads etcd once, writes its answer, exits.

#pragma once

namespace baokms::supervisor {

// The descriptors that the program is started with, in addition to /dev/null as 0, 1 and 2.
inline constexpr int kScanAnswer = 3;  // pipe: one EtcdScanAnswer, up to its end
inline constexpr int kScanSetup = 4;   // sealed memfd: EtcdScanSetup
// Open files, or /dev/null if there is none.
inline constexpr int kScanCa = 5;
inline constexpr int kScanCertificate = 6;
inline constexpr int kScanKey = 7;
inline constexpr int kScanDescriptors = 8;

// Returns the process's exit code: 0 if an answer was written.
int RunScanProgram();

}  // namespace baokms::supervisor
