// Writes to systemd's journal if stderr is connected to it: each record becomes one entry whose
// fields are fields of the journal (native protocol, systemd.io/JOURNAL_NATIVE_PROTOCOL), so that
// they can be searched without parsing lines. It does not decide about level, format or rate.

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

  // Creates an object without a journal.
  Journal() = default;

  // Connects if `stream`, the text of $JOURNAL_STREAM (systemd.exec(5)), identifies descriptor 2.
  // Otherwise, and if journald cannot be reached, returns an object without a journal: lines on
  // stderr reach it as well.
  static Journal BehindStderr(std::string_view stream,
                              const std::string& socket_path = kSocketPath);

  // Sends one entry whose MESSAGE is `line`. Returns false if there is no journal or it does not
  // accept the entry now.
  [[nodiscard]] bool Put(const LogRecord& record,
                         const RecordSource& source,
                         std::string_view line) const;

 private:
  explicit Journal(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
};

// Builds the entry as it is sent: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, and BAOKMS_EVENT,
// BAOKMS_PROCESS, BAOKMS_PID and BAOKMS_<FIELD>. The prefix keeps a child's field from posing as
// one of the journal's own.
[[nodiscard]] std::string JournalEntry(const LogRecord& record,
                                       const RecordSource& source,
                                       std::string_view line);

}  // namespace baokms::supervisor
