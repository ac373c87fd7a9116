// What a running provider reports about itself: /ready, the values that are read when metrics are
// scraped, and the status line for the service manager. It only reads and decides nothing.

#pragma once

#include <cstdint>
#include <string>

#include "supervisor/children/process_facts.h"
#include "supervisor/config/config.h"
#include "supervisor/observe/log_stream.h"
#include "supervisor/observe/prometheus_metrics.h"
#include "supervisor/serve/kms_socket_watch.h"
#include "supervisor/serve/process_tree.h"
#include "supervisor/serve/ready_body.h"
#include "supervisor/status/key_status.h"

namespace baokms::supervisor {

// Callable from any thread, since everything it reads is.
class ProviderHealth final {
 public:
  // References must outlive this object.
  struct Sources {
    const Config& config;
    const KeyStatus& status;
    const ProcessTree& tree;
    const ProcessTable& processes;
    const KmsSocketWatch& socket;
    const LogStream& log;
  };

  explicit ProviderHealth(const Sources& sources) : sources_(sources) {}

  [[nodiscard]] ReadyFacts Ready() const;
  [[nodiscard]] ScrapeFacts Scrape() const;

  // Returns for example "healthy, key version 1, workers 2 of 2".
  [[nodiscard]] std::string StatusLine() const;

 private:
  [[nodiscard]] Diagnostics Diagnose() const;
  [[nodiscard]] std::uint32_t WorkersReady() const;
  [[nodiscard]] AuthFacts Auth() const;

  Sources sources_;
};

}  // namespace baokms::supervisor
