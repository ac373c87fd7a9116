// Everything a worker accepts, and when: one table per channel. What is not in here ends the
// worker.

#pragma once

#include <functional>

#include "common/base/result.h"
#include "common/openbao/broker_connector.h"
#include "ipc/dispatch.h"
#include "proto/ipc.pb.h"
#include "worker/kms_operations.h"
#include "worker/token_source.h"

namespace baokms::worker {

// Whom messages go to; everything must outlive the tables.
struct Receivers {
  std::function<Status(const ipc::HelloAnswer&)> hello;
  std::function<Status(const ipc::Tunables&)> tunables;
  openbao::BrokerConnector& connector;
  KmsOperations& operations;
  TokenSource& tokens;
};

ipc::Dispatch FromSupervisor(const Receivers& receivers);
ipc::Dispatch FromAgent(const Receivers& receivers);

}  // namespace baokms::worker
