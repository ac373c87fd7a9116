// The life of bao-kms-etcd-scan: confines itself, reads etcd once, writes its answer, ends.

#pragma once

namespace baokms::supervisor {

// The descriptors that the program is born with, besides /dev/null as 0, 1 and 2.
inline constexpr int kScanAnswer = 3;  // pipe: one EtcdScanAnswer, up to its end
inline constexpr int kScanSetup = 4;   // sealed memfd: EtcdScanSetup
// Open files, or /dev/null where there is none.
inline constexpr int kScanCa = 5;
inline constexpr int kScanCertificate = 6;
inline constexpr int kScanKey = 7;
inline constexpr int kScanDescriptors = 8;

// Answers with the exit code of the process: 0 when an answer was written.
int RunScanProgram();

}  // namespace baokms::supervisor
