// Keeps what children said, in order, as one line each.

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/base/unique_fd.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/child_channel.h"

namespace baokms::supervisor {

// `Events`: ChildEvents or what a test derives from it.
template <typename Events = ChildEvents>
class RecordingEvents : public Events {
 public:
  void OnProcDescriptor(const ChildProcess& /*from*/,
                        ipc::ProcDescriptor::Kind /*kind*/,
                        UniqueFd descriptor) override {
    events.emplace_back("descriptor");
    descriptors.push_back(std::move(descriptor));
  }

  void OnConfinement(const ChildProcess& /*from*/, const ipc::ConfinementReport& report) override {
    events.push_back("confinement " + report.filter_name());
  }

  void OnLogRecord(const ChildProcess& /*from*/, const ipc::LogRecord& record) override {
    events.push_back("log " + record.event());
  }

  void OnSyscallRefused(const ChildProcess& /*from*/, std::uint32_t number) override {
    events.push_back("refused " + std::to_string(number));
  }

  void OnStartFailure(const ChildProcess& from, const ipc::StartFailure& failure) override {
    events.push_back(ProcessName(from.key) + " cannot start: " + failure.step());
  }

  Status OnConnectRequest(const ChildProcess& from, const ipc::ConnectRequest& request) override {
    events.push_back("connect " + std::to_string(request.endpoint()));
    connects.push_back(from);
    return {};
  }

  void OnConnectReport(const ChildProcess& /*from*/, const ipc::ConnectReport& verdict) override {
    events.push_back("verdict " + std::to_string(verdict.id()));
  }

  void OnCall(const ChildProcess& /*from*/, const ipc::OpenBaoCall& call) override {
    calls.push_back(call.operation());
  }

  std::vector<std::string> events;
  std::vector<UniqueFd> descriptors;
  std::vector<ChildProcess> connects;  // who asked
  std::vector<ipc::OpenBaoOperation> calls;
};

}  // namespace baokms::supervisor
