#include "supervisor/isolation/process_view.h"

#include <sys/stat.h>
#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "supervisor/isolation/descriptor_kind.h"

namespace baokms::supervisor {
namespace {

namespace fs = std::filesystem;

// The name is padded to this width in /proc/<pid>/limits (fs/proc/base.c).
constexpr std::size_t kLimitNameWidth = 26;

std::string ReadText(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

template <typename Number>
std::vector<Number> Numbers(std::string_view text) {
  std::istringstream words{std::string(text)};
  return {std::istream_iterator<Number>(words), {}};
}

template <typename Number>
std::vector<Number> NumbersOf(std::string_view status, std::string_view name) {
  return Numbers<Number>(StatusField(status, name).value_or(""));
}

template <typename Id>
std::set<Id> IdsOf(std::string_view status, std::string_view name) {
  const std::vector<Id> ids = NumbersOf<Id>(status, name);
  return {ids.begin(), ids.end()};
}

std::map<std::string, std::string> LimitsOf(const fs::path& process) {
  std::map<std::string, std::string> limits;
  std::istringstream lines(ReadText(process / "limits"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("Max ") || line.size() <= kLimitNameWidth) {
      continue;
    }
    std::string name = line.substr(0, kLimitNameWidth);
    name.erase(name.find_last_not_of(' ') + 1);
    std::istringstream values(line.substr(kLimitNameWidth));
    std::string soft;
    std::string hard;
    values >> soft >> hard;
    limits[name] = hard;
  }
  return limits;
}

// The kernel shows memory of memfd_secret(2) as a file that is not in any directory.
std::uint64_t SecretKibOf(const fs::path& process) {
  std::uint64_t bytes = 0;
  std::istringstream lines(ReadText(process / "maps"));
  for (std::string line; std::getline(lines, line);) {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    char dash = 0;
    std::istringstream range(line);
    if (line.ends_with(" /secretmem (deleted)") && range >> std::hex >> begin >> dash >> end) {
      bytes += end - begin;
    }
  }
  return bytes / 1024;
}

std::map<std::string, std::size_t> DescriptorsOf(const fs::path& process) {
  std::map<std::string, std::size_t> kinds;
  const SocketKinds sockets = ReadSocketKinds(process);
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(process / "fd", failed)) {
    std::error_code gone;
    const fs::path target = fs::read_symlink(entry.path(), gone);
    if (!gone) {
      ++kinds[KindOfDescriptor(entry.path(), target.string(), sockets)];
    }
  }
  return kinds;
}

ProgramFile ProgramOf(const fs::path& process) {
  ProgramFile program;
  std::error_code failed;
  program.path = fs::read_symlink(process / "exe", failed).string();

  struct stat info {};

  if (::stat((process / "exe").c_str(), &info) == 0) {
    program.owner = info.st_uid;
    program.mode = info.st_mode;
  }
  return program;
}

}  // namespace

std::optional<ProcessView> ViewProcess(pid_t pid) {
  const fs::path process = fs::path("/proc") / std::to_string(pid);
  const std::string status = ReadText(process / "status");
  const std::optional<Confinement> confinement = ParseStatus(status);
  if (!confinement) {
    return std::nullopt;
  }
  ProcessView view;
  view.confinement = *confinement;
  const auto first = [&status](std::string_view name) {
    const auto numbers = NumbersOf<std::uint64_t>(status, name);
    return numbers.empty() ? 0 : numbers.front();
  };
  view.parent = static_cast<pid_t>(first("PPid:"));
  view.locked_kib = first("VmLck:");
  view.uids = IdsOf<uid_t>(status, "Uid:");
  view.gids = IdsOf<gid_t>(status, "Gid:");
  view.groups = NumbersOf<gid_t>(status, "Groups:");
  view.secret_kib = SecretKibOf(process);
  view.limits = LimitsOf(process);
  view.descriptors = DescriptorsOf(process);
  view.program = ProgramOf(process);
  return view;
}

std::vector<ProcessView> ViewTree(pid_t root) {
  std::vector<ProcessView> all;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", failed)) {
    const std::vector<pid_t> pid = Numbers<pid_t>(entry.path().filename().string());
    if (pid.size() != 1) {
      continue;
    }
    const std::string status = ReadText(entry.path() / "status");
    const std::vector<pid_t> parent = NumbersOf<pid_t>(status, "PPid:");
    if (parent.empty()) {
      continue;
    }
    ProcessView& view = all.emplace_back();
    view.confinement.pid = pid.front();
    view.parent = parent.front();
  }
  // Breadth first: what is appended is visited as well.
  std::vector<ProcessView> tree;
  std::vector<pid_t> pending{root};
  for (std::size_t i = 0; i < pending.size(); ++i) {
    if (std::optional<ProcessView> view = ViewProcess(pending[i])) {
      tree.push_back(*std::move(view));
    }
    for (const ProcessView& view : all) {
      if (view.parent == pending[i]) {
        pending.push_back(view.pid());
      }
    }
  }
  return tree;
}

}  // namespace baokms::supervisor
