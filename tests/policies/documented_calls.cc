#include "tests/policies/documented_calls.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <limits>
#include <regex>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "common/base/secret_pages.h"
#include "tests/base/test_data.h"

namespace baokms {
namespace {

constexpr std::string_view kIf = " if ";

constexpr std::uint64_t kUpperHalf = std::uint64_t{0xffffffff} << 32U;

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
      BAOKMS_NAMED(F_GETLK),
      BAOKMS_NAMED(F_GET_SEALS),
      BAOKMS_NAMED(F_SETFD),
      BAOKMS_NAMED(F_SETFL),
      BAOKMS_NAMED(F_SETLK),
      BAOKMS_NAMED(F_SETLKW),
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
      BAOKMS_NAMED(PR_SET_NO_NEW_PRIVS),
      BAOKMS_NAMED(SIGABRT),
      BAOKMS_NAMED(SOCK_DGRAM),
      BAOKMS_NAMED(SOCK_SEQPACKET),
      BAOKMS_NAMED(SOCK_STREAM),
      BAOKMS_NAMED(SOL_SOCKET),
      BAOKMS_NAMED(SO_DOMAIN),
      BAOKMS_NAMED(SO_ERROR),
      BAOKMS_NAMED(SO_KEEPALIVE),
      BAOKMS_NAMED(SO_LINGER),
      BAOKMS_NAMED(SO_PASSCRED),
      BAOKMS_NAMED(SO_PEERCRED),
      BAOKMS_NAMED(SO_PEERGROUPS),
      BAOKMS_NAMED(SO_RCVTIMEO),
      BAOKMS_NAMED(SO_REUSEADDR),
      BAOKMS_NAMED(SO_SNDTIMEO),
      BAOKMS_NAMED(SO_TYPE),
      BAOKMS_NAMED(TCP_INQ),
      BAOKMS_NAMED(TCP_KEEPCNT),
      BAOKMS_NAMED(TCP_KEEPIDLE),
      BAOKMS_NAMED(TCP_KEEPINTVL),
      BAOKMS_NAMED(TCP_NODELAY),
      BAOKMS_NAMED(TCP_USER_TIMEOUT),
      {"NULL", 0},
      {"0", 0},
      {"UID_MAX", std::numeric_limits<uid_t>::max()},
      {"PID_SELF", kDocumentedPid},
      {"CHILD0_UID", kDocumentedUsers[0].uid},
      {"CHILD0_GID", kDocumentedUsers[0].gid},
      {"CHILD1_UID", kDocumentedUsers[1].uid},
      {"CHILD1_GID", kDocumentedUsers[1].gid},
      {"CHILD2_UID", kDocumentedUsers[2].uid},
      {"CHILD2_GID", kDocumentedUsers[2].gid},
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
      {"setgroups", {"size"}},
      {"setresgid", {"real", "effective", "saved"}},
      {"setresuid", {"real", "effective", "saved"}},
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

// The bits that the kernel ignores: the flags of the descriptor in the type of a socket, and the
// upper half of what it takes for an id or a count.
std::uint64_t IgnoredBits(const std::string& argument) {
  static const std::map<std::string, std::uint64_t> ignored = {
      {"type", SOCK_CLOEXEC | SOCK_NONBLOCK},
      {"real", kUpperHalf},
      {"effective", kUpperHalf},
      {"saved", kUpperHalf},
      {"size", kUpperHalf}};
  const auto found = ignored.find(argument);
  return found == ignored.end() ? 0 : found->second;
}

DocumentedCondition ParseCondition(const std::string& call, const std::string& text) {
  using Kind = DocumentedCondition::Kind;
  static const std::map<std::string, Kind> kinds = {
      {"is", Kind::kIs}, {"has", Kind::kHas}, {"without", Kind::kWithout}, {"above", Kind::kAbove}};
  static const std::regex form("`\\w+` (\\w+) `.*");
  std::smatch match;
  if (!std::regex_match(text, match, form)) {
    throw std::logic_error("docs/security.md: not a condition: " + text);
  }
  const std::vector<std::string> words = Quoted(text);
  const std::vector<std::string>& names = Known(ArgumentNames(), call);
  const auto name = std::find(names.begin(), names.end(), words.front());
  if (name == names.end()) {
    throw std::logic_error("docs/security.md: " + call + " has no argument " + words.front());
  }
  DocumentedCondition condition;
  condition.argument = static_cast<std::size_t>(name - names.begin());
  condition.kind = Known(kinds, match[1]);
  condition.ignored = IgnoredBits(*name);
  for (auto value = words.begin() + 1; value != words.end(); ++value) {
    condition.values.push_back(Known(Constants(), *value));
  }
  return condition;
}

std::vector<std::string> Split(const std::string& text, const std::string& between) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end = 0; end != std::string::npos; begin = end + between.size()) {
    end = text.find(between, begin);
    parts.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
  }
  return parts;
}

// "`fcntl` if `cmd` is `F_SETFL` and `arg` without `O_ASYNC`".
DocumentedArguments ParseArguments(const std::string& call, const std::string& row) {
  DocumentedArguments arguments;
  for (const std::string& text : Split(row.substr(row.find(kIf) + kIf.size()), " and ")) {
    arguments.conditions.push_back(ParseCondition(call, text));
  }
  return arguments;
}

// A row that is about the id of a child, once for each of them.
std::vector<std::string> ForEachChild(const std::string& row) {
  static const std::regex child("`CHILD_");
  if (!std::regex_search(row, child)) {
    return {row};
  }
  std::vector<std::string> rows;
  for (std::size_t number = 0; number < kDocumentedUsers.size(); ++number) {
    rows.push_back(std::regex_replace(row, child, "`CHILD" + std::to_string(number) + "_"));
  }
  return rows;
}

// "| a | | b |", whose cells may be empty.
std::vector<std::string> CellsOf(const std::string& line) {
  static const std::regex space("^ +| +$");
  std::vector<std::string> cells;
  if (line.size() < 2 || line.front() != '|' || line.back() != '|') {
    return cells;
  }
  for (const std::string& cell : Split(line.substr(1, line.size() - 2), "|")) {
    cells.push_back(std::regex_replace(cell, space, ""));
  }
  return cells;
}

// The rows of all tables about calls, each under what its first cell says, with a cell for each
// column.
class Page final {
 public:
  using Cells = std::map<DocumentedColumn, std::string>;

  static const Page& Read() {
    static const Page page;
    return page;
  }

  [[nodiscard]] const std::map<std::string, Cells>& rows() const { return rows_; }

  [[nodiscard]] const std::set<std::string>& killed() const { return killed_; }

  [[nodiscard]] const std::set<DocumentedColumn>& columns() const { return columns_; }

 private:
  Page() {
    std::ifstream file(TestDataPath("../docs/security.md"));
    for (std::string line; std::getline(file, line);) {
      Add(line);
    }
  }

  void Add(const std::string& line) {
    static const std::regex heading("#+ (.*)");
    std::smatch match;
    const std::vector<std::string> cells = CellsOf(line);
    if (std::regex_match(line, match, heading)) {
      section_ = match[1];
    } else if (cells.empty()) {
      titles_.clear();
    } else if (cells.front() == "call" || cells.front() == "call and arguments") {
      titles_ = cells;
    } else if (!titles_.empty() && cells.front().front() == '`') {
      AddRow(cells);
    }
  }

  // One call on condition, or one or several calls.
  void AddRow(const std::vector<std::string>& cells) {
    if (cells.size() != titles_.size()) {
      throw std::logic_error("docs/security.md: the row has other columns: " + cells.front());
    }
    const bool on_condition = cells.front().find(kIf) != std::string::npos;
    for (const std::string& row :
         on_condition ? ForEachChild(cells.front()) : Split(cells.front(), ", ")) {
      if (::seccomp_syscall_resolve_name(Quoted(row).front().c_str()) == __NR_SCMP_ERROR) {
        throw std::logic_error("docs/security.md: not a call: " + row);
      }
      for (std::size_t column = 1; column < cells.size(); ++column) {
        AddCell(row, titles_[column], cells[column]);
      }
    }
  }

  void AddCell(const std::string& row, const std::string& title, const std::string& cell) {
    if (title == "what it would reach") {
      killed_.insert(Quoted(row).front());
    } else if (title != "why") {
      columns_.insert({section_, title});
      rows_[row][{section_, title}] = cell;
    }
  }

  std::string section_;
  std::vector<std::string> titles_;
  std::map<std::string, Cells> rows_;
  std::set<std::string> killed_;
  std::set<DocumentedColumn> columns_;
};

// What the last of the columns that says something about the row says.
std::string WordOf(const Page::Cells& cells, const std::vector<DocumentedColumn>& columns) {
  std::string word;
  for (const DocumentedColumn& column : columns) {
    const auto cell = cells.find(column);
    if (cell != cells.end() && !cell->second.empty()) {
      word = cell->second;
    }
  }
  return word;
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
    case Kind::kAbove:
      return value > values.front();
    default:
      return std::none_of(values.begin(), values.end(),
                          [&](std::uint64_t bits) { return (value & bits) != 0; });
  }
}

DocumentedCalls ReadDocumentedCalls(const std::vector<DocumentedColumn>& columns) {
  const Page& page = Page::Read();
  for (const DocumentedColumn& column : columns) {
    if (page.columns().count(column) == 0) {
      throw std::logic_error("docs/security.md, " + column.section + ": no column " + column.title);
    }
  }
  DocumentedCalls calls;
  calls.killed = page.killed();
  for (const auto& [row, cells] : page.rows()) {
    const std::string call = Quoted(row).front();
    if (row.find(kIf) == std::string::npos) {
      calls.words[call] = WordOf(cells, columns);
      continue;
    }
    DocumentedArguments arguments = ParseArguments(call, row);
    arguments.word = WordOf(cells, columns);
    calls.arguments[call].push_back(std::move(arguments));
  }
  return calls;
}

std::set<DocumentedColumn> AllDocumentedColumns() {
  return Page::Read().columns();
}

}  // namespace baokms
