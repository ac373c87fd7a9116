#include "supervisor/observe/journal.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <variant>

namespace baokms::supervisor {
namespace {

// Returns the priority of syslog(3).
std::string_view Priority(LogLevel level) {
  constexpr std::array<std::string_view, 4> kPriorities = {"7", "6", "4", "3"};
  return kPriorities.at(static_cast<std::size_t>(level));
}

// A value with a newline is preceded by its length as 64 bits, little-endian.
void AppendField(std::string& entry, std::string_view name, std::string_view value) {
  entry.append(name);
  if (value.find('\n') == std::string_view::npos) {
    entry.append("=").append(value).append("\n");
    return;
  }
  entry.append("\n");
  for (unsigned shift = 0; shift < 64; shift += 8) {
    entry.push_back(static_cast<char>((std::uint64_t{value.size()} >> shift) & 0xffU));
  }
  entry.append(value).append("\n");
}

// Returns a name that the journal accepts: A-Z, 0-9 and _, at most 64 characters.
std::string FieldName(std::string_view key) {
  constexpr std::string_view kPrefix = "BAOKMS_";
  constexpr std::size_t kMaxName = 64;
  std::string name(kPrefix);
  for (const char c : key.substr(0, kMaxName - kPrefix.size())) {
    if (c >= 'a' && c <= 'z') {
      name.push_back(static_cast<char>(c - 'a' + 'A'));
    } else {
      name.push_back((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_');
    }
  }
  return name;
}

std::string ValueText(const LogValue& value) {
  return std::visit(
      [](const auto& held) -> std::string {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::string>) {
          return held;
        } else if constexpr (std::is_same_v<Held, bool>) {
          return held ? "true" : "false";
        } else {
          return std::to_string(held);
        }
      },
      value);
}

// Returns whether `stream` is "device:inode" of descriptor 2.
bool StderrIs(std::string_view stream) {
  struct stat info {};

  return ::fstat(STDERR_FILENO, &info) == 0 &&
         stream == std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
}

}  // namespace

Journal Journal::BehindStderr(std::string_view stream, const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (!StderrIs(stream) || socket_path.size() >= sizeof address.sun_path) {
    return Journal();
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid() ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Journal();
  }
  return Journal(std::move(socket));
}

bool Journal::Put(const LogRecord& record,
                  const RecordSource& source,
                  std::string_view line) const {
  if (!socket_.valid()) {
    return false;
  }
  const std::string entry = JournalEntry(record, source, line);
  return ::send(socket_.get(), entry.data(), entry.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(entry.size());
}

std::string JournalEntry(const LogRecord& record,
                         const RecordSource& source,
                         std::string_view line) {
  std::string entry;
  AppendField(entry, "MESSAGE", line);
  AppendField(entry, "PRIORITY", Priority(record.level));
  AppendField(entry, "SYSLOG_IDENTIFIER", "bao-kms-provider");
  AppendField(entry, "BAOKMS_EVENT", record.event);
  AppendField(entry, "BAOKMS_PROCESS", source.process);
  AppendField(entry, "BAOKMS_PID", std::to_string(source.pid));
  for (const auto& [key, value] : record.fields) {
    AppendField(entry, FieldName(key), ValueText(value));
  }
  return entry;
}

}  // namespace baokms::supervisor
