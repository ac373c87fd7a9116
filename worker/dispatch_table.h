// The messages that a worker accepts, and when: one table per channel. Any other message ends the
// worker.

#pragma once

#include "common/openbao/broker_connector.h"
#include "ipc/dispatch.h"
#include "worker/kms_operations.h"
#include "worker/token_source.h"

namespace baokms::worker {

// Adds the supervisor's messages, except those common to all children (ipc/child_session.h). All
// arguments must outlive the table.
void AcceptFromSupervisor(ipc::Dispatch& table,
                          openbao::BrokerConnector& connector,
                          KmsOperations& operations);

// Returns the table of the auth agent's messages. `tokens` must outlive the table.
ipc::Dispatch FromAgent(TokenSource& tokens);

}  // namespace baokms::worker
