// systemd's journal, when stderr is connected to it: each record becomes one entry with its fields
// as fields of the journal (native protocol, systemd.io/JOURNAL_NATIVE_PROTOCOL), so that they can
// be searched for without parsing lines. It decides nothing about level, form or rate.

#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "common/base/log.h"
#include "common/base/unique_fd.h"
#include "supervisor/observe/record_text.h"

namespace baokms::supervisor {

class Journal final {
 public:
  // Where journald listens (systemd-journald.service(8)).
  static constexpr const char* kSocketPath = "/run/systemd/journal/socket";

  // No journal.
  Journal() = default;

  // Connects when `stream`, the text of $JOURNAL_STREAM (systemd.exec(5)), names what descriptor 2
  // is; else it is no journal. One that cannot be reached is none: lines on stderr get there too.
  static Journal BehindStderr(std::string_view stream,
                              const std::string& socket_path = kSocketPath);

  // Sends one entry; `line` is its MESSAGE. False when it is not there or does not take it now.
  [[nodiscard]] bool Put(const LogRecord& record,
                         const RecordSource& source,
                         std::string_view line) const;

 private:
  explicit Journal(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
};

// The entry as sent: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, and BAOKMS_EVENT, BAOKMS_PROCESS,
// BAOKMS_PID and BAOKMS_<FIELD>. The prefix keeps a child's field from looking like one of the
// journal's own.
[[nodiscard]] std::string JournalEntry(const LogRecord& record,
                                       const RecordSource& source,
                                       std::string_view line);

}  // namespace baokms::supervisor
