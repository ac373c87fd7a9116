// Everything a worker accepts, and when: one table per channel. What is not in here ends the
// worker.

#pragma once

#include "common/openbao/broker_connector.h"
#include "ipc/dispatch.h"
#include "worker/kms_operations.h"
#include "worker/token_source.h"

namespace baokms::worker {

// Adds what the supervisor may say, besides what every child is told (ipc/child_session.h).
// Everything must outlive the table.
void AcceptFromSupervisor(ipc::Dispatch& table,
                          openbao::BrokerConnector& connector,
                          KmsOperations& operations);

// What the auth agent may say. `tokens` must outlive the table.
ipc::Dispatch FromAgent(TokenSource& tokens);

}  // namespace baokms::worker
