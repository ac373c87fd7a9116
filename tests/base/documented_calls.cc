#include "tests/base/documented_calls.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <sched.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <limits>
#include <regex>
#include <stdexcept>

#include "common/base/secret_pages.h"
#include "tests/base/test_data.h"

namespace baokms {
namespace {

#define BAOKMS_NAMED(constant) \
  { #constant, static_cast < std::uint64_t>(constant) }

const std::map<std::string, std::uint64_t>& Constants() {
  static const std::map<std::string, std::uint64_t> constants = {
      BAOKMS_NAMED(AF_INET),
      BAOKMS_NAMED(AF_INET6),
      BAOKMS_NAMED(AF_UNIX),
      BAOKMS_NAMED(CLONE_NEWCGROUP),
      BAOKMS_NAMED(CLONE_NEWIPC),
      BAOKMS_NAMED(CLONE_NEWNET),
      BAOKMS_NAMED(CLONE_NEWNS),
      BAOKMS_NAMED(CLONE_NEWPID),
      BAOKMS_NAMED(CLONE_NEWUSER),
      BAOKMS_NAMED(CLONE_NEWUTS),
      BAOKMS_NAMED(CLONE_THREAD),
      BAOKMS_NAMED(F_DUPFD_CLOEXEC),
      BAOKMS_NAMED(F_GETFD),
      BAOKMS_NAMED(F_GETFL),
      BAOKMS_NAMED(F_GET_SEALS),
      BAOKMS_NAMED(F_SETFD),
      BAOKMS_NAMED(F_SETFL),
      BAOKMS_NAMED(IPPROTO_IP),
      BAOKMS_NAMED(IPPROTO_IPV6),
      BAOKMS_NAMED(IPPROTO_TCP),
      BAOKMS_NAMED(IPPROTO_UDP),
      BAOKMS_NAMED(IPV6_V6ONLY),
      BAOKMS_NAMED(MAP_GROWSDOWN),
      BAOKMS_NAMED(MAP_SHARED),
      BAOKMS_NAMED(MSG_FASTOPEN),
      BAOKMS_NAMED(O_ASYNC),
      BAOKMS_NAMED(O_CREAT),
      BAOKMS_NAMED(O_RDWR),
      BAOKMS_NAMED(O_TRUNC),
      BAOKMS_NAMED(O_WRONLY),
      BAOKMS_NAMED(PROT_EXEC),
      BAOKMS_NAMED(PR_SET_NAME),
      BAOKMS_NAMED(SIGABRT),
      BAOKMS_NAMED(SOCK_DGRAM),
      BAOKMS_NAMED(SOCK_SEQPACKET),
      BAOKMS_NAMED(SOCK_STREAM),
      BAOKMS_NAMED(SOL_SOCKET),
      BAOKMS_NAMED(SO_DOMAIN),
      BAOKMS_NAMED(SO_ERROR),
      BAOKMS_NAMED(SO_KEEPALIVE),
      BAOKMS_NAMED(SO_PEERCRED),
      BAOKMS_NAMED(SO_PEERGROUPS),
      BAOKMS_NAMED(SO_REUSEADDR),
      BAOKMS_NAMED(SO_TYPE),
      BAOKMS_NAMED(TCP_INQ),
      BAOKMS_NAMED(TCP_NODELAY),
      BAOKMS_NAMED(TCP_USER_TIMEOUT),
      {"NULL", 0},
      {"UID_MAX", std::numeric_limits<uid_t>::max()},
      {"PID_SELF", kDocumentedPid},
      {"1048576", kReservedSecretBytes},
  };
  return constants;
}

#undef BAOKMS_NAMED

// The arguments of each call in their order, up to the last one that a row names.
const std::map<std::string, std::vector<std::string>>& ArgumentNames() {
  static const std::map<std::string, std::vector<std::string>> names = {
      {"clone", {"flags"}},
      {"fcntl", {"fd", "cmd", "arg"}},
      {"ftruncate", {"fd", "length"}},
      {"getsockopt", {"fd", "level", "name"}},
      {"lchown", {"path", "owner"}},
      {"mmap", {"address", "length", "prot", "flags"}},
      {"mprotect", {"address", "length", "prot"}},
      {"openat", {"directory", "path", "flags"}},
      {"prctl", {"option"}},
      {"prlimit64", {"pid", "resource", "new_limit"}},
      {"sendmsg", {"fd", "message", "flags"}},
      {"sendto", {"fd", "buffer", "length", "flags", "address"}},
      {"setsockopt", {"fd", "level", "name"}},
      {"socket", {"domain", "type", "protocol"}},
      {"socketpair", {"domain", "type"}},
      {"tgkill", {"tgid", "tid", "signal"}},
  };
  return names;
}

template <typename Map>
const typename Map::mapped_type& Known(const Map& map, const std::string& key) {
  const auto found = map.find(key);
  if (found == map.end()) {
    throw std::logic_error("docs/security.md: not known to the test: " + key);
  }
  return found->second;
}

// What stands between backticks.
std::vector<std::string> Quoted(const std::string& text) {
  static const std::regex quoted("`([^`]+)`");
  std::vector<std::string> all;
  for (std::sregex_iterator at(text.begin(), text.end(), quoted), end; at != end; ++at) {
    all.push_back((*at)[1]);
  }
  return all;
}

DocumentedCondition ParseCondition(const std::string& call, const std::string& text) {
  static const std::regex form("`\\w+` (is|has|without) `.*");
  std::smatch match;
  if (!std::regex_match(text, match, form)) {
    throw std::logic_error("docs/security.md: not a condition: " + text);
  }
  using Kind = DocumentedCondition::Kind;
  const std::vector<std::string> words = Quoted(text);
  const std::vector<std::string>& names = Known(ArgumentNames(), call);
  const auto name = std::find(names.begin(), names.end(), words.front());
  if (name == names.end()) {
    throw std::logic_error("docs/security.md: " + call + " has no argument " + words.front());
  }
  DocumentedCondition condition;
  condition.argument = static_cast<std::size_t>(name - names.begin());
  condition.kind = match[1] == "is" ? Kind::kIs : match[1] == "has" ? Kind::kHas : Kind::kWithout;
  condition.ignored = *name == "type" ? SOCK_CLOEXEC | SOCK_NONBLOCK : 0;
  for (auto value = words.begin() + 1; value != words.end(); ++value) {
    condition.values.push_back(Known(Constants(), *value));
  }
  return condition;
}

// "`fcntl` if `cmd` is `F_SETFL` and `arg` without `O_ASYNC`".
void AddArguments(const std::string& first_cell,
                  const std::vector<std::string>& cells,
                  DocumentedCalls& calls) {
  static const std::string kAnd = " and ";
  const std::string call = Quoted(first_cell).front();
  std::string rest = first_cell.substr(call.size() + std::string("`` if ").size());
  DocumentedArguments row;
  for (std::size_t end = 0; end != std::string::npos;) {
    end = rest.find(kAnd);
    row.conditions.push_back(ParseCondition(call, rest.substr(0, end)));
    rest = end == std::string::npos ? "" : rest.substr(end + kAnd.size());
  }
  for (std::size_t process = 0; process < row.allowed.size(); ++process) {
    row.allowed.at(process) = cells.at(process) == "yes";
  }
  calls.arguments[call].push_back(row);
}

std::vector<std::string> CellsOf(std::string line) {
  static const std::string kBetween = " | ";
  std::vector<std::string> cells;
  if (line.size() < 4 || line.substr(0, 2) != "| ") {
    return cells;
  }
  line = line.substr(2, line.size() - 4);
  for (std::size_t end = 0; end != std::string::npos;) {
    end = line.find(kBetween);
    cells.push_back(line.substr(0, end));
    line = end == std::string::npos ? "" : line.substr(end + kBetween.size());
  }
  return cells;
}

void AddRow(const std::string& line, DocumentedCalls& calls) {
  static const std::regex name("`[a-z0-9_]+`");
  static const std::regex conditional("`\\w+` if `.*");
  std::vector<std::string> cells = CellsOf(line);
  if (cells.size() < 2) {
    return;
  }
  const std::string first = cells.front();
  cells.erase(cells.begin());
  if (std::regex_match(first, conditional)) {
    AddArguments(first, cells, calls);
  } else if (std::regex_match(first, name) && cells.size() == 5) {
    std::copy_n(cells.begin(), 4, calls.words[Quoted(first).front()].begin());
  } else if (std::regex_match(first, name)) {
    calls.killed.insert(Quoted(first).front());
  }
}

}  // namespace

bool DocumentedCondition::Holds(std::uint64_t argument_value) const {
  const std::uint64_t value = argument_value & ~ignored;
  const auto has = [&](std::uint64_t bits) {
    return (value & bits) == bits;
  };
  switch (kind) {
    case Kind::kIs:
      return std::find(values.begin(), values.end(), value) != values.end();
    case Kind::kHas:
      return std::all_of(values.begin(), values.end(), has);
    default:
      return std::none_of(values.begin(), values.end(),
                          [&](std::uint64_t bits) { return (value & bits) != 0; });
  }
}

DocumentedCalls ReadDocumentedCalls() {
  DocumentedCalls calls;
  std::ifstream page(TestDataPath("../docs/security.md"));
  for (std::string line; std::getline(page, line) && line != "## How secrets are held";) {
    AddRow(line, calls);
  }
  return calls;
}

}  // namespace baokms
