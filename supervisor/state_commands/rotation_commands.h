// rotation-plan and verify-rotation: how far this node has progressed in a rotation and, with an
// inventory of etcd, which key versions are still needed (docs/rotation.md). They write nothing.

#pragma once

#include "supervisor/etcd/start_scan.h"
#include "supervisor/state_commands/command_host.h"
#include "supervisor/state_commands/command_report.h"

namespace baokms::supervisor {

CommandResult RunRotationPlan(const CommandHost& host);

// With the result of a scan, the report also lists which Transit versions the objects in etcd still
// need; the command fails if min_decryption_version must not be raised.
CommandResult RunVerifyRotation(const CommandHost& host, const EtcdScanResult* scanned);

}  // namespace baokms::supervisor
